#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// What filters, permissions and pages may look at without decoding an event. Views into memory of whoever hands it out.
struct EventAttributes {
  absl::string_view account;
  absl::string_view session_id;  // empty when the delivery named none
  absl::string_view peer;        // `from` or `to`; empty when there is none
  absl::string_view message_id;  // empty when there is none
  int type = 0;                  // v1::EventType
  int status = 0;                // v1::MessageStatus; 0 also for events that are no status
  bool test = false;
};

// An event on its way into the log.
struct NewEvent {
  std::string account;
  std::string session_id;
  std::string peer;
  std::string message_id;
  int type = 0;
  int status = 0;
  bool test = false;
  // Deduplication key within the account; empty means: never deduplicated.
  std::string delivery_id;
  // It cannot have been appended before this time, as far as is known: what remembers recent ids anyway need not look
  // further back.
  absl::Time not_before = absl::InfinitePast();
  // v1::Event, encoded, without cursor, ingested_time and raw_body: those are added when it is read.
  std::string event;
  // The delivery's body as it came; at most 1 MiB.
  std::string raw_body;
};

// What became of an append.
struct Appended {
  uint64_t sequence = 0;   // of this event, or of the first with the same delivery id; 0 when that one is long gone
  bool duplicate = false;  // true: nothing was stored, since the delivery id was seen before
};

// An event in the log. Views into the page that holds it.
struct LoggedEvent {
  uint64_t sequence = 0;  // from 1, strictly increasing; gaps are allowed
  absl::Time ingested;  // in milliseconds; never decreases with the sequence (as far as several servers' clocks agree)
  EventAttributes attributes;
  absl::string_view delivery_id;
  absl::string_view event;     // as in NewEvent
  absl::string_view raw_body;  // empty unless asked for
};

// Consecutive events and the memory that their views point into. Immutable once handed out; movable.
class EventPage {
 public:
  EventPage() = default;
  EventPage(EventPage&&) = default;
  EventPage& operator=(EventPage&&) = default;

  std::vector<LoggedEvent> events;
  // True when nothing was stored after the last event (or after the position asked for) at the time of reading.
  bool end_of_log = false;
  // Owns the bytes behind the views.
  std::shared_ptr<const void> memory;
};

struct ReadLimits {
  size_t max_events = 1024;    // at least 1
  size_t max_bytes = 4 << 20;  // of event and raw_body; a page holds at least one event all the same
  bool raw_body = false;       // also read raw bodies
};

// Where the log stands.
struct LogInfo {
  uint64_t epoch = 0;     // made with the log, its own: sequences of another epoch mean nothing here
  uint64_t earliest = 1;  // sequence of the oldest event kept; head + 1 when none is
  uint64_t head = 0;      // sequence of the newest event ever stored; 0 when there was none
  // Of the log that this one was copied from with all its sequences and times; 0: of none.
  uint64_t former_epoch = 0;

  // Whether sequences of `other` mean something here: it is this log's epoch or its former one.
  bool Covers(uint64_t other) const { return other == epoch || (former_epoch != 0 && other == former_epoch); }
};

// The seam for the durable, ordered log of events: SqliteEventLog, JetStreamEventLog. One for each store; every event
// of every account is in one order. Thread-safe. What it promises is tests/contract/event_log_contract.h.
class EventLog {
 public:
  using AppendCallback = absl::AnyInvocable<void(absl::StatusOr<Appended>) &&>;

  virtual ~EventLog() = default;

  // Stores `event`, then calls `done` exactly once, on a thread of the log's that it must not block, in the order of
  // the sequences. OK means durable: it survives a power cut (what a store across a network adds to that, ADR 13 says).
  // Never blocks. Events appended one after the other by one thread keep that order; across a network, unless one of
  // two that are under way at once had to be repeated. Errors: RESOURCE_EXHAUSTED when too many appends wait or the
  // disk is full; UNAVAILABLE when the store fails or is closing: then it is not stored, or (a store across a network)
  // may be, and appending the same delivery id again is safe.
  virtual void Append(NewEvent event, AppendCallback done) = 0;

  // The events after sequence `after`, oldest first. Blocks on the disk or the network: not for callback threads.
  // An `after` below the oldest event kept reads from the oldest; the caller compares with Info() first where that
  // matters. Errors: UNAVAILABLE when the store fails.
  virtual absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits) = 0;

  // The sequence to read after in order to get the first event ingested at or after `time`: head when there is none.
  // Blocks. Errors: UNAVAILABLE.
  virtual absl::StatusOr<uint64_t> FindTime(absl::Time time) = 0;

  // The head as whoever stores the log has it: where gateways share it, Info() follows, by moments or for as long as a
  // connection is broken. Blocks on the network. Errors: UNAVAILABLE.
  virtual absl::StatusOr<uint64_t> FindHead() = 0;

  // Cheap and never blocks: from memory.
  virtual LogInfo Info() const = 0;

  // Calls `on_head` with the new head after each commit, on the log's thread, until `Unwatch`. It must return at once.
  // At most one watcher (the hub).
  virtual void Watch(std::function<void(uint64_t head)> on_head) = 0;

  // After it returns, the watcher is not running and will not run.
  virtual void Unwatch() = 0;
};

}  // namespace aulm::gateway
