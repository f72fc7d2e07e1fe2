#include "service/storage/sqlite/full_check.h"

#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/storage/event_record.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/state_row.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {
namespace {

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(
      absl::StrCat("store: damaged: ", what, "; stop the gateway and restore the store from a backup"));
}

absl::Status CheckFile(Connection& connection) {
  absl::StatusOr<Statement> check = connection.Prepare("PRAGMA integrity_check(10)");
  if (!check.ok()) return check.status();
  std::string problems;
  while (true) {
    absl::StatusOr<bool> row = check->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    if (check->Bytes(0) != "ok") absl::StrAppend(&problems, problems.empty() ? "" : "; ", check->Bytes(0));
  }
  return problems.empty() ? absl::OkStatus() : Damaged(problems);
}

absl::Status CheckEvents(Connection& connection) {
  absl::StatusOr<Statement> events = connection.Prepare(
      "SELECT e.sequence, e.ingested_ms, e.start_offset, ifnull(length(r.body), 0), e.record"
      " FROM events e LEFT JOIN raw_bodies r USING(sequence) ORDER BY e.sequence");
  if (!events.ok()) return events.status();
  int64_t next_sequence = 0;
  int64_t last_ingested = 0;
  int64_t last_offset = -1;
  while (true) {
    absl::StatusOr<bool> row = events->Step();
    if (!row.ok()) return row.status();
    if (!*row) return absl::OkStatus();
    const int64_t sequence = events->Integer(0);
    LoggedEvent event;
    if (next_sequence != 0 && sequence != next_sequence) {
      return Damaged(absl::StrCat("events are missing before ", sequence));
    }
    if (events->Integer(1) < last_ingested || events->Integer(2) <= last_offset) {
      return Damaged(absl::StrCat("event ", sequence, " is out of order"));
    }
    if (!DecodeEventRecord(events->Bytes(4), event)) {
      return Damaged(absl::StrCat("event ", sequence, " cannot be decoded"));
    }
    next_sequence = sequence + 1;
    last_ingested = events->Integer(1);
    last_offset = events->Integer(2);
  }
}

absl::Status CheckJournal(Connection& connection) {
  absl::StatusOr<Statement> entries = connection.Prepare("SELECT id, rows FROM state_journal ORDER BY id");
  if (!entries.ok()) return entries.status();
  while (true) {
    absl::StatusOr<bool> entry = entries->Step();
    if (!entry.ok()) return entry.status();
    if (!*entry) return absl::OkStatus();
    std::vector<StateRowPtr> rows;
    if (!DecodeStateRows(entries->Bytes(1), rows)) {
      return Damaged(absl::StrCat("entry ", entries->Integer(0), " of the state's journal cannot be decoded"));
    }
  }
}

absl::Status CheckNone(Connection& connection, absl::string_view count_sql, absl::string_view what) {
  absl::StatusOr<int64_t> count = connection.QueryInteger(count_sql);
  if (!count.ok()) return count.status();
  return *count == 0 ? absl::OkStatus() : Damaged(absl::StrCat(*count, " ", what));
}

}  // namespace

absl::Status CheckWholeStore(const std::string& file) {
  absl::StatusOr<Connection> connection = Connection::Open(file, Connection::Use::kReader);
  if (!connection.ok()) return connection.status();
  // One transaction: the store may go on writing meanwhile.
  if (absl::Status begun = connection->Execute("BEGIN"); !begun.ok()) return begun;
  if (absl::Status status = CheckFile(*connection); !status.ok()) return status;
  if (absl::Status status = CheckEvents(*connection); !status.ok()) return status;
  if (absl::Status status = CheckJournal(*connection); !status.ok()) return status;
  if (absl::Status status =
          CheckNone(*connection, "SELECT count(*) FROM raw_bodies WHERE sequence NOT IN (SELECT sequence FROM events)",
                    "raw bodies without an event");
      !status.ok()) {
    return status;
  }
  return CheckNone(*connection,
                   "SELECT count(*) FROM deliveries WHERE sequence > max((SELECT ifnull(max(sequence), 0) FROM events),"
                   " (SELECT ifnull(max(value), 0) FROM meta WHERE name = 'head'))",
                   "deliveries without an event");
}

}  // namespace aulm::gateway
