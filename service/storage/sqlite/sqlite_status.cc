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

absl::string_view Remedy(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kResourceExhausted:
      return "; free space on the store's disk or lower store.max_bytes: writing resumes by itself";
    case absl::StatusCode::kInternal:
      return "; the store is damaged: stop the gateway and restore it from a backup";
    default:
      return "";
  }
}

}  // namespace

absl::Status SqliteStatus(sqlite3* db, int code, absl::string_view what) {
  const int system_error = db != nullptr ? sqlite3_system_errno(db) : 0;
  const absl::StatusCode status_code = CodeOf(code, system_error);
  std::string message = absl::StrCat("store: ", what, ": ", sqlite3_errstr(code), " (sqlite ", code);
  if (system_error != 0) absl::StrAppend(&message, ", errno ", system_error);
  absl::StrAppend(&message, ")", Remedy(status_code));
  return absl::Status(status_code, message);
}

absl::Status SeamStatus(const absl::Status& status) {
  if (status.ok() || status.code() == absl::StatusCode::kResourceExhausted) return status;
  return absl::UnavailableError(status.message());
}

}  // namespace aulm::gateway
