#include "service/storage/sqlite/log_reader.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/storage/event_record.h"
#include "service/storage/sqlite/page_memory.h"

namespace aulm::gateway {
namespace {

// Idle readers beyond these are closed: each has a page cache.
constexpr size_t kMostIdle = 4;

// SQLite's integers are signed; no log comes near.
int64_t SqlSequence(uint64_t sequence) {
  return static_cast<int64_t>(std::min<uint64_t>(sequence, std::numeric_limits<int64_t>::max()));
}

}  // namespace

absl::StatusOr<std::unique_ptr<LogReader>> LogReader::Open(const std::string& file) {
  absl::StatusOr<Connection> connection = Connection::Open(file, Connection::Use::kReader);
  if (!connection.ok()) return connection.status();
  std::unique_ptr<LogReader> reader(new LogReader);
  reader->connection_ = *std::move(connection);
  absl::Status status = reader->connection_.Prepare({
      {&reader->read_, "SELECT sequence, ingested_ms, record FROM events WHERE sequence > ?1 ORDER BY sequence"},
      {&reader->read_raw_,
       "SELECT e.sequence, e.ingested_ms, e.record, r.body FROM events e LEFT JOIN raw_bodies r USING(sequence)"
       " WHERE e.sequence > ?1 ORDER BY e.sequence"},
      {&reader->bounds_,
       "SELECT (SELECT min(sequence) FROM events), (SELECT max(sequence) FROM events),"
       " (SELECT value FROM meta WHERE name = 'head')"},
      {&reader->first_from_, "SELECT sequence, ingested_ms FROM events WHERE sequence >= ?1 ORDER BY sequence LIMIT 1"},
  });
  if (!status.ok()) return status;
  return reader;
}

absl::StatusOr<EventPage> LogReader::Read(uint64_t after, const ReadLimits& limits) {
  Statement& rows = limits.raw_body ? read_raw_ : read_;
  ResetAtEnd reset(rows);
  rows.Bind(1, SqlSequence(after));
  EventPage page;
  auto memory = std::make_shared<PageMemory>();
  size_t bytes = 0;
  while (true) {
    absl::StatusOr<bool> row = rows.Step();
    if (!row.ok()) return row.status();
    if (!*row) {
      page.end_of_log = true;
      break;
    }
    // Looked at before the limits: whether the page ends here or the log does is what the caller wants to know.
    if (page.events.size() >= std::max<size_t>(limits.max_events, 1)) break;
    LoggedEvent event;
    event.sequence = static_cast<uint64_t>(rows.Integer(0));
    event.ingested = absl::FromUnixMillis(rows.Integer(1));
    if (!DecodeEventRecord(rows.Bytes(2), event)) {
      return absl::InternalError(absl::StrCat("store: event ", event.sequence, " cannot be decoded"));
    }
    const absl::string_view raw_body = limits.raw_body ? rows.Bytes(3) : absl::string_view();
    bytes += event.event.size() + raw_body.size();
    if (bytes > limits.max_bytes && !page.events.empty()) break;
    DecodeEventRecord(memory->Keep(rows.Bytes(2)), event);
    event.raw_body = memory->Keep(raw_body);
    page.events.push_back(event);
  }
  page.memory = std::move(memory);
  return page;
}

absl::StatusOr<uint64_t> LogReader::FindTime(absl::Time time) {
  // Rounded up: an event is in whole milliseconds, and one before `time` must not count.
  const absl::Duration since_epoch = absl::Ceil(time - absl::UnixEpoch(), absl::Milliseconds(1));
  const int64_t milliseconds = absl::ToInt64Milliseconds(since_epoch);
  // One transaction, so that the log does not lose its beginning in the middle of the search.
  if (absl::Status begun = connection_.Execute("BEGIN"); !begun.ok()) return begun;
  absl::StatusOr<uint64_t> found = FindMilliseconds(milliseconds);
  connection_.RollBack();
  return found;
}

absl::StatusOr<uint64_t> LogReader::FindMilliseconds(int64_t milliseconds) {
  ResetAtEnd reset_bounds(bounds_);
  absl::StatusOr<bool> row = bounds_.Step();
  if (!row.ok()) return row.status();
  if (bounds_.IsNull(0)) return static_cast<uint64_t>(bounds_.Integer(2));
  // Bisected: everything up to `before` is too early, and something from `before` + 1 to `until` is not, unless
  // everything is too early.
  int64_t before = bounds_.Integer(0) - 1;
  int64_t until = bounds_.Integer(1) + 1;
  while (before + 1 < until) {
    const int64_t middle = before + (until - before) / 2;
    ResetAtEnd reset(first_from_);
    row = first_from_.Bind(1, middle).Step();
    if (!row.ok()) return row.status();
    // `middle` is at most the newest sequence, so there is a row, if not of that very sequence.
    if (first_from_.Integer(1) >= milliseconds) {
      until = middle;
    } else {
      before = first_from_.Integer(0);
    }
  }
  return static_cast<uint64_t>(before);
}

absl::StatusOr<std::unique_ptr<LogReader>> LogReaders::Take() {
  {
    absl::MutexLock lock(&mutex_);
    if (!idle_.empty()) {
      std::unique_ptr<LogReader> reader = std::move(idle_.back());
      idle_.pop_back();
      return reader;
    }
  }
  return LogReader::Open(file_);
}

void LogReaders::GiveBack(std::unique_ptr<LogReader> reader) {
  absl::MutexLock lock(&mutex_);
  if (idle_.size() < kMostIdle) idle_.push_back(std::move(reader));  // else closed after the lock
}

}  // namespace aulm::gateway
