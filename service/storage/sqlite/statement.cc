#include "service/storage/sqlite/statement.h"

#include <sqlite3.h>

#include <utility>

#include "service/storage/sqlite/sqlite_status.h"

namespace aulm::gateway {

Statement::Statement(Statement&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), statement_(std::exchange(other.statement_, nullptr)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(statement_, other.statement_);
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::Bind(int parameter, int64_t value) {
  sqlite3_bind_int64(statement_, parameter, value);
  return *this;
}

Statement& Statement::BindText(int parameter, absl::string_view text) {
  // A null pointer would bind NULL.
  sqlite3_bind_text(statement_, parameter, text.empty() ? "" : text.data(), static_cast<int>(text.size()),
                    SQLITE_STATIC);
  return *this;
}

Statement& Statement::BindBlob(int parameter, absl::string_view bytes) {
  sqlite3_bind_blob(statement_, parameter, bytes.empty() ? "" : bytes.data(), static_cast<int>(bytes.size()),
                    SQLITE_STATIC);
  return *this;
}

Statement& Statement::BindNull(int parameter) {
  sqlite3_bind_null(statement_, parameter);
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    sqlite3_reset(statement_);
    return false;
  }
  absl::Status status = SqliteStatus(db_, code);
  sqlite3_reset(statement_);
  return status;
}

absl::Status Statement::Run() {
  int code;
  do {
    code = sqlite3_step(statement_);
  } while (code == SQLITE_ROW);
  absl::Status status;
  if (code != SQLITE_DONE) status = SqliteStatus(db_, code);
  sqlite3_reset(statement_);
  return status;
}

int64_t Statement::Integer(int column) const { return sqlite3_column_int64(statement_, column); }

absl::string_view Statement::Bytes(int column) const {
  const void* const data = sqlite3_column_blob(statement_, column);
  return absl::string_view(static_cast<const char*>(data),
                           static_cast<size_t>(sqlite3_column_bytes(statement_, column)));
}

bool Statement::IsNull(int column) const { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }

void Statement::Reset() { sqlite3_reset(statement_); }

}  // namespace aulm::gateway
