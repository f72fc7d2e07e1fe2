#include "service/storage/sqlite/state_reader.h"

#include <utility>

namespace aulm::gateway {
namespace {

StateRowPtr RowOf(const Statement& statement, std::string name) {
  auto row = std::make_shared<StateRow>();
  row->name = std::move(name);
  row->expires = StateTime(statement.Integer(0));
  row->revision = static_cast<uint64_t>(statement.Integer(1));
  row->value = std::string(statement.Bytes(2));
  return row;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateReader>> StateReader::Open(const std::string& file,
                                                               const std::vector<StateRowPtr>& unmerged) {
  absl::StatusOr<Connection> connection = Connection::Open(file, Connection::Use::kReader);
  if (!connection.ok()) return connection.status();
  std::unique_ptr<StateReader> reader(new StateReader);
  reader->connection_ = *std::move(connection);
  absl::Status status = reader->connection_.Prepare({
      {&reader->get_, "SELECT expires_ms, revision, value FROM state WHERE name = ?1"},
      {&reader->range_,
       "SELECT expires_ms, revision, value, name FROM state WHERE name >= ?1 AND name < ?2 ORDER BY name"},
  });
  if (!status.ok()) return status;
  reader->unmerged_.insert(unmerged.begin(), unmerged.end());
  return reader;
}

void StateReader::Merged(absl::Span<const StateRowPtr> rows) {
  for (const StateRowPtr& row : rows) {
    const auto place = unmerged_.find(row);
    if (place != unmerged_.end() && (*place)->revision == row->revision) unmerged_.erase(place);
  }
}

absl::StatusOr<StateRowPtr> StateReader::Get(absl::string_view name) {
  if (const auto place = unmerged_.find(name); place != unmerged_.end()) return *place;
  ResetAtEnd reset(get_);
  absl::StatusOr<bool> row = get_.BindText(1, name).Step();
  if (!row.ok()) return row.status();
  if (!*row) return StateRowPtr();
  return RowOf(get_, std::string(name));
}

void StateReader::Begin(absl::string_view first, absl::string_view end) {
  first_ = std::string(first);
  end_ = std::string(end);
  range_.BindText(1, first_).BindText(2, end_);
  next_unmerged_ = unmerged_.lower_bound(absl::string_view(first_));
  next_stored_ = NextStored();
}

absl::StatusOr<StateRowPtr> StateReader::NextStored() {
  absl::StatusOr<bool> row = range_.Step();
  if (!row.ok()) return row.status();
  if (!*row) return StateRowPtr();
  return RowOf(range_, std::string(range_.Bytes(3)));
}

absl::StatusOr<StateRowPtr> StateReader::Next() {
  if (!next_stored_.ok()) return next_stored_;
  const StateRowPtr& stored = *next_stored_;
  const bool has_unmerged = next_unmerged_ != unmerged_.end() && (*next_unmerged_)->name < end_;
  const int order = !has_unmerged ? 1 : stored == nullptr ? -1 : (*next_unmerged_)->name.compare(stored->name);
  if (order > 0) return stored == nullptr ? stored : std::exchange(next_stored_, NextStored());
  if (order == 0) next_stored_ = NextStored();
  return *next_unmerged_++;
}

void StateReader::End() { range_.Reset(); }

}  // namespace aulm::gateway
