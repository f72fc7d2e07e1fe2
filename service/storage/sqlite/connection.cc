#include "service/storage/sqlite/connection.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/storage/sqlite/sqlite_status.h"

namespace aulm::gateway {
namespace {

// Two connections of one process meet only for moments: when the write-ahead log is opened or recovered.
constexpr int kBusyTimeoutMs = 5000;

constexpr char kWriterSetUp[] =
    "PRAGMA journal_mode=WAL;"
    "PRAGMA synchronous=FULL;"
    // Debian builds with secure_delete, which writes every freed page once more: zero only what is written anyway.
    "PRAGMA secure_delete=FAST;"
    "PRAGMA wal_autocheckpoint=0;"
    // The file of the write-ahead log shrinks to this when it begins anew after a burst.
    "PRAGMA journal_size_limit=67108864;"
    "PRAGMA cache_size=-16384;"
    "PRAGMA foreign_keys=OFF;";

constexpr char kReaderSetUp[] =
    "PRAGMA query_only=ON;"
    "PRAGMA wal_autocheckpoint=0;"
    "PRAGMA cache_size=-2048;";

// SQLite gives its other files the mode of the database file, and creates that as 0644.
absl::Status CreatePrivately(const std::string& file) {
  const int fd = open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  if (fd < 0) return absl::UnavailableError(absl::StrCat("store: cannot create ", file, ": ", std::strerror(errno)));
  close(fd);
  return absl::OkStatus();
}

// Without its own accounting of memory SQLite takes no process-wide lock on every allocation. It must be asked before
// it is first used; where it was used already, it goes on accounting.
void SpareMemoryAccounting() { [[maybe_unused]] static const int once = sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0); }

int OnCommit(void* wal_pages, sqlite3*, const char*, int pages) {
  *static_cast<int*>(wal_pages) = pages;
  return SQLITE_OK;
}

}  // namespace

absl::StatusOr<Connection> Connection::Open(const std::string& file, Use use) {
  if (use == Use::kWriter) {
    if (absl::Status created = CreatePrivately(file); !created.ok()) return created;
  }
  SpareMemoryAccounting();
  sqlite3* db = nullptr;
  const int code = sqlite3_open_v2(file.c_str(), &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) {
    absl::Status status = SqliteStatus(db, code);
    sqlite3_close(db);
    return status;
  }
  sqlite3_extended_result_codes(db, 1);
  sqlite3_busy_timeout(db, kBusyTimeoutMs);
  Connection connection(db);
  absl::Status set_up = connection.Execute(use == Use::kWriter ? kWriterSetUp : kReaderSetUp);
  if (!set_up.ok()) return set_up;
  if (use == Use::kWriter) sqlite3_wal_hook(db, OnCommit, connection.wal_pages_.get());
  return connection;
}

Connection::Connection(sqlite3* db) : db_(db) {}

Connection::Connection(Connection&& other) noexcept
    : db_(std::exchange(other.db_, nullptr)), wal_pages_(std::move(other.wal_pages_)) {}

Connection& Connection::operator=(Connection&& other) noexcept {
  std::swap(db_, other.db_);
  std::swap(wal_pages_, other.wal_pages_);
  return *this;
}

Connection::~Connection() { sqlite3_close_v2(db_); }

absl::StatusOr<Statement> Connection::Prepare(absl::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(db_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return SqliteStatus(db_, code);
  return Statement(db_, statement);
}

absl::Status Connection::Prepare(std::initializer_list<std::pair<Statement*, absl::string_view>> statements) {
  for (const auto& [statement, sql] : statements) {
    absl::StatusOr<Statement> prepared = Prepare(sql);
    if (!prepared.ok()) return prepared.status();
    *statement = *std::move(prepared);
  }
  return absl::OkStatus();
}

absl::Status Connection::Execute(const std::string& sql) {
  const int code = sqlite3_exec(db_, sql.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return SqliteStatus(db_, code);
  return absl::OkStatus();
}

absl::StatusOr<int64_t> Connection::QueryInteger(absl::string_view sql) {
  absl::StatusOr<Statement> statement = Prepare(sql);
  if (!statement.ok()) return statement.status();
  absl::StatusOr<bool> row = statement->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::NotFoundError(absl::StrCat("store: no row for ", sql));
  return statement->Integer(0);
}

int64_t Connection::Changes() const { return sqlite3_changes64(db_); }

void Connection::RollBack() {
  if (sqlite3_get_autocommit(db_) == 0) sqlite3_exec(db_, "ROLLBACK", nullptr, nullptr, nullptr);
}

absl::StatusOr<bool> Connection::Checkpoint() {
  int in_log = 0;
  int copied = 0;
  const int code = sqlite3_wal_checkpoint_v2(db_, nullptr, SQLITE_CHECKPOINT_PASSIVE, &in_log, &copied);
  // Busy: another connection is checkpointing or recovering. The next one will do it.
  if (code == SQLITE_BUSY) return false;
  if (code != SQLITE_OK) return SqliteStatus(db_, code);
  return in_log == copied;
}

}  // namespace aulm::gateway
