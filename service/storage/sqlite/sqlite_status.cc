#include "service/storage/sqlite/sqlite_status.h"

#include <sqlite3.h>

#include <cerrno>
#include <string>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

absl::StatusCode CodeOf(int code, int system_error) {
  switch (code) {
    case SQLITE_IOERR_FSYNC:
    case SQLITE_IOERR_DIR_FSYNC:
      return absl::StatusCode::kDataLoss;
    case SQLITE_IOERR_WRITE:
    case SQLITE_IOERR_SHMSIZE:
      // SQLite calls only ENOSPC on a write "full".
      if (system_error == ENOSPC || system_error == EDQUOT) return absl::StatusCode::kResourceExhausted;
      return absl::StatusCode::kUnavailable;
    default:
      break;
  }
  switch (code & 0xff) {
    case SQLITE_FULL:
      return absl::StatusCode::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return absl::StatusCode::kInternal;
    default:
      return absl::StatusCode::kUnavailable;
  }
}

absl::string_view Remedy(int code, absl::StatusCode status) {
  if (status == absl::StatusCode::kResourceExhausted) {
    return "free space on the store's disk or lower store.max_bytes: writing resumes by itself";
  }
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
      return "the store is damaged: stop the gateway and restore it from a backup";
    case SQLITE_NOTADB:
      return "it is damaged, or was never a store: restore it from a backup, or name another folder in store.url";
    case SQLITE_READONLY:
    case SQLITE_PERM:
    case SQLITE_CANTOPEN:
      return "give the gateway's user the right to write it and its folder, or name another folder in store.url";
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program has it open: close that one";
    case SQLITE_IOERR:
      return "look at the disk and at the system's own log";
    default:
      return "";
  }
}

// SQLite's words: its own of this very error where it has them, such as "no such table: events".
absl::string_view Words(sqlite3* db, int code) {
  const bool latest = db != nullptr && (sqlite3_extended_errcode(db) & 0xff) == (code & 0xff);
  return latest ? sqlite3_errmsg(db) : sqlite3_errstr(code);
}

}  // namespace

absl::Status SqliteStatus(sqlite3* db, int code) {
  const int system_error = db != nullptr ? sqlite3_system_errno(db) : 0;
  const absl::StatusCode status = CodeOf(code, system_error);
  const char* const file = db != nullptr ? sqlite3_db_filename(db, "main") : nullptr;
  std::string message = "store: ";
  if (file != nullptr && *file != '\0') absl::StrAppend(&message, file, ": ");
  absl::StrAppend(&message, Words(db, code), " (sqlite ", code);
  if (system_error != 0) absl::StrAppend(&message, ", errno ", system_error);
  absl::StrAppend(&message, ")");
  if (const absl::string_view remedy = Remedy(code, status); !remedy.empty()) absl::StrAppend(&message, "; ", remedy);
  return absl::Status(status, message);
}

absl::Status SeamStatus(const absl::Status& status) {
  if (status.ok() || status.code() == absl::StatusCode::kResourceExhausted) return status;
  return absl::UnavailableError(status.message());
}

}  // namespace aulm::gateway
