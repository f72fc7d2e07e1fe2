#include "service/storage/sqlite/sqlite_export.h"

#include <filesystem>
#include <system_error>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/storage/sqlite/log_reader.h"
#include "service/storage/sqlite/schema.h"
#include "service/storage/sqlite/state_table.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

absl::StatusOr<std::unique_ptr<SqliteExport>> SqliteExport::Open(const std::string& folder) {
  const std::string file = absl::StrCat(folder, "/gateway.db");
  std::error_code error;
  if (!std::filesystem::exists(file, error)) {
    return absl::NotFoundError(absl::StrCat("store: there is no gateway.db in ", folder));
  }
  absl::StatusOr<StoreLock> lock = StoreLock::Take(folder);
  if (!lock.ok()) return lock.status();
  std::unique_ptr<SqliteExport> store(new SqliteExport(*std::move(lock), file));
  if (absl::Status failed = store->OpenTables(); !failed.ok()) return failed;
  return store;
}

absl::Status SqliteExport::OpenTables() {
  absl::StatusOr<Connection> connection = Connection::Open(file_, Connection::Use::kWriter);
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  if (absl::Status status = MigrateSchema(connection_, SchemaHistory()); !status.ok()) return status;
  const absl::StatusOr<int64_t> epoch = connection_.QueryInteger("SELECT value FROM meta WHERE name = 'epoch'");
  if (absl::IsNotFound(epoch.status())) return absl::NotFoundError("store: no gateway has used it yet");
  if (!epoch.ok()) return epoch.status();
  absl::StatusOr<LogTable> log = LogTable::Open(connection_, static_cast<uint64_t>(*epoch));
  if (!log.ok()) return log.status();
  info_ = log->position().Info();
  return OpenState();
}

absl::Status SqliteExport::OpenState() {
  const absl::StatusOr<std::unique_ptr<StateTable>> table = StateTable::Open(connection_);
  if (!table.ok()) return table.status();
  const std::vector<StateRowPtr> unmerged = (*table)->Unmerged();
  for (const StateRowPtr& row : unmerged) buckets_.insert(row->name.substr(0, row->name.find('/')));
  absl::StatusOr<Statement> rows =
      connection_.Prepare("SELECT DISTINCT substr(name, 1, instr(name, '/') - 1) FROM state");
  if (!rows.ok()) return rows.status();
  while (true) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    buckets_.emplace(rows->Bytes(0));
  }
  absl::StatusOr<std::unique_ptr<StateReader>> state = StateReader::Open(file_, unmerged);
  if (!state.ok()) return state.status();
  state_ = *std::move(state);
  return absl::OkStatus();
}

absl::Status SqliteExport::Events(absl::FunctionRef<absl::Status(const LoggedEvent&)> take) {
  absl::StatusOr<std::unique_ptr<LogReader>> reader = LogReader::Open(file_);
  if (!reader.ok()) return reader.status();
  ReadLimits limits;
  limits.raw_body = true;
  uint64_t after = info_.earliest - 1;
  while (after < info_.head) {
    const absl::StatusOr<EventPage> page = (*reader)->Read(after, limits);
    if (!page.ok()) return page.status();
    if (page->events.empty()) break;
    for (const LoggedEvent& event : page->events) {
      if (absl::Status failed = take(event); !failed.ok()) return failed;
    }
    after = page->events.back().sequence;
  }
  if (after == info_.head) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("store: events are missing after ", after));
}

absl::Status SqliteExport::Deliveries(absl::FunctionRef<absl::Status(absl::string_view, uint64_t)> take) {
  absl::StatusOr<Statement> rows = connection_.Prepare("SELECT id, sequence FROM deliveries ORDER BY id");
  if (!rows.ok()) return rows.status();
  while (true) {
    const absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    if (absl::Status failed = take(rows->Bytes(0), static_cast<uint64_t>(rows->Integer(1))); !failed.ok()) {
      return failed;
    }
  }
}

absl::Status SqliteExport::State(
    absl::Time now,
    absl::FunctionRef<absl::Status(absl::string_view, absl::string_view, absl::string_view, absl::Time)> take) {
  absl::Status failed;
  for (const std::string& bucket : buckets_) {
    // Every name of the bucket, and none of another: '0' is what comes after '/'.
    state_->Begin(absl::StrCat(bucket, "/"), absl::StrCat(bucket, "0"));
    while (failed.ok()) {
      const absl::StatusOr<StateRowPtr> row = state_->Next();
      failed.Update(row.status());
      if (!row.ok() || *row == nullptr) break;
      const auto& value = (*row)->value;
      if (!value.has_value() || (*row)->expires <= now) continue;
      const absl::string_view key = absl::string_view((*row)->name).substr(bucket.size() + 1);
      failed.Update(take(bucket, key, *value, (*row)->expires));
    }
    state_->End();
    if (!failed.ok()) break;
  }
  return failed;
}

}  // namespace aulm::gateway
