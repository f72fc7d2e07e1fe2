#include "service/storage/sqlite/state_row.h"

#include <cstring>
#include <limits>
#include <utility>

namespace aulm::gateway {
namespace {

constexpr int64_t kNever = std::numeric_limits<int64_t>::max();
constexpr char kVersion = 1;
constexpr uint32_t kDeleted = std::numeric_limits<uint32_t>::max();  // in place of a value's size
constexpr size_t kHeadBytes = 2 * sizeof(uint32_t) + 2 * sizeof(uint64_t);

// Little-endian, as every machine that this is built for is.
template <typename Number>
void AppendNumber(Number number, std::string& to) {
  char bytes[sizeof(number)];
  std::memcpy(bytes, &number, sizeof(number));
  to.append(bytes, sizeof(number));
}

template <typename Number>
Number TakeNumber(absl::string_view& from) {
  Number number;
  std::memcpy(&number, from.data(), sizeof(number));
  from.remove_prefix(sizeof(number));
  return number;
}

}  // namespace

int64_t StateMilliseconds(absl::Time time) { return absl::ToUnixMillis(time); }

absl::Time StateTime(int64_t milliseconds) {
  return milliseconds == kNever ? absl::InfiniteFuture() : absl::FromUnixMillis(milliseconds);
}

std::string EncodeStateRows(absl::Span<const StateRowPtr> rows) {
  size_t bytes = 1;
  for (const StateRowPtr& row : rows) bytes += row->Bytes();
  std::string entry;
  entry.reserve(bytes);
  entry.push_back(kVersion);
  for (const StateRowPtr& row : rows) {
    AppendNumber(static_cast<uint32_t>(row->name.size()), entry);
    AppendNumber(row->value.has_value() ? static_cast<uint32_t>(row->value->size()) : kDeleted, entry);
    AppendNumber(row->revision, entry);
    AppendNumber(StateMilliseconds(row->expires), entry);
    entry.append(row->name);
    if (row->value.has_value()) entry.append(*row->value);
  }
  return entry;
}

bool DecodeStateRows(absl::string_view bytes, std::vector<StateRowPtr>& rows) {
  if (bytes.empty() || bytes.front() != kVersion) return false;
  bytes.remove_prefix(1);
  while (!bytes.empty()) {
    if (bytes.size() < kHeadBytes) return false;
    const auto name_bytes = TakeNumber<uint32_t>(bytes);
    const auto value_bytes = TakeNumber<uint32_t>(bytes);
    auto row = std::make_shared<StateRow>();
    row->revision = TakeNumber<uint64_t>(bytes);
    row->expires = StateTime(TakeNumber<int64_t>(bytes));
    const uint64_t wanted = uint64_t{name_bytes} + (value_bytes == kDeleted ? 0 : value_bytes);
    if (bytes.size() < wanted) return false;
    row->name = std::string(bytes.substr(0, name_bytes));
    bytes.remove_prefix(name_bytes);
    if (value_bytes != kDeleted) {
      row->value = std::string(bytes.substr(0, value_bytes));
      bytes.remove_prefix(value_bytes);
    }
    rows.push_back(std::move(row));
  }
  return true;
}

}  // namespace aulm::gateway
