#include "service/storage/sqlite/log_table.h"

#include <algorithm>
#include <utility>

#include "service/storage/event_record.h"

namespace aulm::gateway {
namespace {

// One deletion's bounds: about 2 ms of work, so that an append never waits long behind it.
constexpr int64_t kMostRowsDeleted = 512;
constexpr int64_t kMostBytesDeleted = 4 << 20;

absl::StatusOr<int64_t> MetaOr(Connection& connection, absl::string_view sql, int64_t otherwise) {
  absl::StatusOr<int64_t> value = connection.QueryInteger(sql);
  if (absl::IsNotFound(value.status())) return otherwise;
  return value;
}

}  // namespace

absl::StatusOr<LogTable> LogTable::Open(Connection& connection, uint64_t fresh_epoch) {
  LogTable table(connection);
  if (absl::Status status = table.Prepare(); !status.ok()) return status;
  if (absl::Status status = table.LoadPosition(fresh_epoch); !status.ok()) return status;
  return table;
}

absl::Status LogTable::Prepare() {
  return connection_->Prepare({
      {&insert_event_, "INSERT INTO events(sequence, ingested_ms, start_offset, record) VALUES(?1, ?2, ?3, ?4)"},
      {&insert_raw_body_, "INSERT INTO raw_bodies(sequence, body) VALUES(?1, ?2)"},
      {&oldest_, "SELECT sequence, ingested_ms, start_offset FROM events ORDER BY sequence LIMIT ?1"},
      {&delete_events_, "DELETE FROM events WHERE sequence <= ?1"},
      {&delete_raw_bodies_, "DELETE FROM raw_bodies WHERE sequence <= ?1"},
      {&set_meta_,
       "INSERT INTO meta(name, value) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = excluded.value"},
  });
}

absl::Status LogTable::LoadPosition(uint64_t fresh_epoch) {
  absl::StatusOr<int64_t> epoch = MetaOr(*connection_, "SELECT value FROM meta WHERE name = 'epoch'", 0);
  if (!epoch.ok()) return epoch.status();
  if (*epoch == 0) {
    epoch = static_cast<int64_t>(fresh_epoch);
    if (absl::Status status = SetMeta("epoch", *epoch); !status.ok()) return status;
  }
  position_.epoch = static_cast<uint64_t>(*epoch);

  absl::StatusOr<int64_t> head = MetaOr(*connection_, "SELECT value FROM meta WHERE name = 'head'", 0);
  if (!head.ok()) return head.status();
  absl::StatusOr<int64_t> ingested = MetaOr(*connection_, "SELECT value FROM meta WHERE name = 'ingested_ms'", 0);
  if (!ingested.ok()) return ingested.status();
  position_.head = static_cast<uint64_t>(*head);
  position_.ingested_ms = *ingested;
  position_.earliest = position_.head + 1;

  absl::StatusOr<Statement> newest = connection_->Prepare(
      "SELECT e.sequence, e.ingested_ms, e.start_offset + length(e.record) + ifnull(length(r.body), 0), e.record"
      " FROM events e LEFT JOIN raw_bodies r USING(sequence) ORDER BY e.sequence DESC LIMIT 1");
  if (!newest.ok()) return newest.status();
  absl::StatusOr<bool> row = newest->Step();
  if (!row.ok()) return row.status();
  if (!*row) return absl::OkStatus();
  LoggedEvent event;
  if (!DecodeEventRecord(newest->Bytes(3), event)) {
    return absl::InternalError("store: the newest event cannot be decoded: restore the store from a backup");
  }
  position_.head = std::max(position_.head, static_cast<uint64_t>(newest->Integer(0)));
  position_.ingested_ms = std::max(position_.ingested_ms, newest->Integer(1));
  position_.end_offset = newest->Integer(2) + kEventOverheadBytes;

  ResetAtEnd reset(oldest_);
  row = oldest_.Bind(1, 1).Step();
  if (!row.ok()) return row.status();
  position_.earliest = static_cast<uint64_t>(oldest_.Integer(0));
  position_.begin_offset = oldest_.Integer(2);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> LogTable::Append(absl::string_view record, absl::string_view raw_body, int64_t now_ms) {
  const int64_t sequence = static_cast<int64_t>(position_.head) + 1;
  const int64_t ingested_ms = std::max(now_ms, position_.ingested_ms);
  absl::Status status =
      insert_event_.Bind(1, sequence).Bind(2, ingested_ms).Bind(3, position_.end_offset).BindBlob(4, record).Run();
  if (!status.ok()) return status;
  if (!raw_body.empty()) {
    status = insert_raw_body_.Bind(1, sequence).BindBlob(2, raw_body).Run();
    if (!status.ok()) return status;
  }
  position_.head = static_cast<uint64_t>(sequence);
  position_.ingested_ms = ingested_ms;
  position_.end_offset += static_cast<int64_t>(record.size() + raw_body.size()) + kEventOverheadBytes;
  return position_.head;
}

absl::StatusOr<LogTable::Cut> LogTable::FindCut(int64_t before_ms, uint64_t max_bytes, uint64_t blocked) {
  ResetAtEnd reset(oldest_);
  oldest_.Bind(1, kMostRowsDeleted + 1);
  for (int64_t rows = 0;; ++rows) {
    absl::StatusOr<bool> row = oldest_.Step();
    if (!row.ok()) return row.status();
    if (!*row) return Cut{position_.head + 1, position_.end_offset, /*is_blocked=*/false};
    const uint64_t sequence = static_cast<uint64_t>(oldest_.Integer(0));
    const int64_t begin = oldest_.Integer(2);
    const bool too_old = oldest_.Integer(1) < before_ms;
    const bool too_much = max_bytes != 0 && static_cast<uint64_t>(position_.end_offset - begin) > max_bytes;
    const bool step_is_full =
        rows > 0 && (rows >= kMostRowsDeleted || begin - position_.begin_offset > kMostBytesDeleted);
    const bool is_blocked = (too_old || too_much) && sequence >= blocked;
    if ((too_old || too_much) && !step_is_full && !is_blocked) continue;
    return Cut{sequence, begin, is_blocked};
  }
}

absl::StatusOr<LogTable::Deletion> LogTable::DeleteOldest(int64_t before_ms, uint64_t max_bytes, uint64_t blocked) {
  absl::StatusOr<Cut> cut = FindCut(before_ms, max_bytes, blocked);
  if (!cut.ok()) return cut.status();
  if (cut->earliest == position_.earliest) return cut->is_blocked ? Deletion::kBlocked : Deletion::kNothing;
  const int64_t last = static_cast<int64_t>(cut->earliest) - 1;
  absl::Status status = delete_events_.Bind(1, last).Run();
  status.Update(delete_raw_bodies_.Bind(1, last).Run());
  // The newest event may be among the deleted: its sequence and time must outlive it.
  status.Update(SetMeta("head", static_cast<int64_t>(position_.head)));
  status.Update(SetMeta("ingested_ms", position_.ingested_ms));
  if (!status.ok()) return status;
  position_.earliest = cut->earliest;
  position_.begin_offset = cut->begin;
  return Deletion::kSome;
}

absl::StatusOr<absl::Time> LogTable::OldestTime() {
  ResetAtEnd reset(oldest_);
  absl::StatusOr<bool> row = oldest_.Bind(1, 1).Step();
  if (!row.ok()) return row.status();
  return *row ? absl::FromUnixMillis(oldest_.Integer(1)) : absl::InfinitePast();
}

absl::Status LogTable::SetMeta(absl::string_view name, int64_t value) {
  return set_meta_.BindText(1, name).Bind(2, value).Run();
}

}  // namespace aulm::gateway
