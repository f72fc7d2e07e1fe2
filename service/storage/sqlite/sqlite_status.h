#pragma once

#include "absl/status/status.h"

struct sqlite3;

namespace aulm::gateway {

// SQLite's result `code` (extended) of `db` as a status of the engine's own vocabulary; its message names the file,
// says what is wrong with it in SQLite's words, and what to do. It tells no statement and nothing of what is stored.
//   RESOURCE_EXHAUSTED  the disk or the quota is full
//   DATA_LOSS           an fsync failed: nothing that was written since the last good one can be trusted
//   INTERNAL            the file is damaged
//   UNAVAILABLE         anything else
// `db` may be null (then the message has only the code's own words). Never OK.
absl::Status SqliteStatus(sqlite3* db, int code);

// A status of SqliteStatus in the words of the seams (event_log.h, state_store.h): all but RESOURCE_EXHAUSTED become
// UNAVAILABLE.
absl::Status SeamStatus(const absl::Status& status);

}  // namespace aulm::gateway
