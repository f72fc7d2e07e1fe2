#pragma once

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/storage/sqlite/connection.h"

namespace aulm::gateway {

// One step of the schema's history: `sql` leads from the version before to `version`. A step that was released is never
// changed again.
struct Migration {
  int version;
  absl::string_view sql;
};

// Every step that this program knows, in order from version 1. The tables:
//   meta        name → integer: epoch, head and ingested_ms (of the newest event ever stored, as of the last deletion),
//               merged (the deliveries of every event up to it are in their table)
//   events      sequence → when, where it begins among all bytes ever stored, record (event_record.h)
//   raw_bodies  sequence → the delivery's body; apart, so that a scan without bodies does not read over them
//   deliveries  dedupe key (delivery_key.h) → sequence, when; the newest are in their events alone (delivery_index.h)
//   state       bucket/key → expiry, revision, value. Rows stand in the order in which they were first merged, so that
//   new
//               ones share pages whatever their names; the index of the names is a fifth as large as they are. The
//               small columns come first, so that a sweep reads no long values
//   state_journal  id → rows of state of one commit (state_row.h) that are newer than what `state` has of them
//               (state_table.h)
absl::Span<const Migration> SchemaHistory();

// Brings the file to the last version of `history`, each step in a transaction of its own; does nothing when it is
// there already. An empty file begins at version 0. Errors: FAILED_PRECONDITION when the file belongs to a newer
// program or is no store of ours; those of SqliteStatus.
absl::Status MigrateSchema(Connection& connection, absl::Span<const Migration> history);

}  // namespace aulm::gateway
