#include "service/storage/sqlite/state_reader.h"

#include <utility>

namespace aulm::gateway {

absl::StatusOr<std::unique_ptr<StateReader>> StateReader::Open(const std::string& file) {
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
  return reader;
}

namespace {

StateRow RowOf(const Statement& statement, std::string name) {
  StateRow row;
  row.name = std::move(name);
  row.expires = StateTime(statement.Integer(0));
  row.revision = static_cast<uint64_t>(statement.Integer(1));
  row.value = std::string(statement.Bytes(2));
  return row;
}

}  // namespace

absl::StatusOr<StateRow> StateReader::Get(absl::string_view name) {
  ResetAtEnd reset(get_);
  absl::StatusOr<bool> row = get_.BindText(1, name).Step();
  if (!row.ok()) return row.status();
  if (!*row) return StateRow();
  return RowOf(get_, std::string(name));
}

void StateReader::Begin(absl::string_view first, absl::string_view end) {
  first_ = std::string(first);
  end_ = std::string(end);
  range_.BindText(1, first_).BindText(2, end_);
}

absl::StatusOr<StateRow> StateReader::Next() {
  absl::StatusOr<bool> row = range_.Step();
  if (!row.ok()) return row.status();
  if (!*row) return StateRow{};
  return RowOf(range_, std::string(range_.Bytes(3)));
}

void StateReader::End() { range_.Reset(); }

}  // namespace aulm::gateway
