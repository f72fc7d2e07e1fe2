#include "service/storage/sqlite/state_table.h"

#include <limits>
#include <vector>

namespace aulm::gateway {
namespace {

constexpr int64_t kRowsSwept = 1000;
constexpr int64_t kNever = std::numeric_limits<int64_t>::max();

}  // namespace

int64_t StateMilliseconds(absl::Time time) { return absl::ToUnixMillis(time); }

absl::Time StateTime(int64_t milliseconds) {
  return milliseconds == kNever ? absl::InfiniteFuture() : absl::FromUnixMillis(milliseconds);
}

absl::StatusOr<StateTable> StateTable::Open(Connection& connection) {
  StateTable table;
  absl::Status status = connection.Prepare({
      {&table.put_,
       "INSERT INTO state(name, expires_ms, revision, value) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(name) DO UPDATE SET"
       " expires_ms = excluded.expires_ms, revision = excluded.revision, value = excluded.value"},
      {&table.delete_, "DELETE FROM state WHERE name = ?1"},
      {&table.after_, "SELECT name, expires_ms FROM state WHERE name > ?1 ORDER BY name LIMIT ?2"},
  });
  if (!status.ok()) return status;
  return table;
}

absl::Status StateTable::Put(const StateRow& row) {
  if (!row.value.has_value()) return delete_.BindText(1, row.name).Run();
  return put_.BindText(1, row.name)
      .Bind(2, StateMilliseconds(row.expires))
      .Bind(3, static_cast<int64_t>(row.revision))
      .BindBlob(4, *row.value)
      .Run();
}

absl::StatusOr<bool> StateTable::Sweep(absl::Time now) {
  const int64_t now_ms = StateMilliseconds(now);
  std::vector<std::string> expired;
  std::string last;
  int64_t rows = 0;
  {
    ResetAtEnd reset(after_);
    after_.BindText(1, swept_).Bind(2, kRowsSwept);
    while (true) {
      absl::StatusOr<bool> row = after_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      ++rows;
      last = std::string(after_.Bytes(0));
      if (after_.Integer(1) <= now_ms) expired.push_back(last);
    }
  }
  for (const std::string& name : expired) {
    if (absl::Status status = delete_.BindText(1, name).Run(); !status.ok()) return status;
  }
  const bool at_end = rows < kRowsSwept;
  swept_ = at_end ? "" : last;
  return at_end;
}

}  // namespace aulm::gateway
