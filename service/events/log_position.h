#pragma once

#include <cstdint>
#include <string>
#include <variant>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/events/cursor.h"
#include "service/storage/event_log.h"

// Where reading starts, and reading on from there without ever passing over an event in silence. Every function that
// takes an EventLog blocks on it.
namespace aulm::gateway {

// A place in the log that the process works with: everything up to `sequence` was looked at.
struct Position {
  uint64_t sequence = 0;
  uint32_t fingerprint = 0;  // of the event at `sequence`; 0 where there is none
};

// The ends of the log, as starts.
struct Earliest {};
struct Latest {};

// How a request says where to start.
using LogStart = std::variant<Latest, Earliest, absl::Time, Cursor>;

// Before the oldest event that is kept.
inline Position EarliestPosition(const LogInfo& info) { return {info.earliest - 1, 0}; }

// OUT_OF_RANGE CURSOR_EXPIRED with the metadata earliest_cursor. `why` completes "the cursor …".
absl::Status CursorExpired(const LogInfo& info, absl::string_view why);

// OK when a cursor can be told to be covered by the log without reading it; else CursorExpired. What is left to check
// after OK is the fingerprint, unless the cursor stands at EarliestPosition: the event before that is gone.
absl::Status CheckCoverage(const Cursor& cursor, const LogInfo& info);

// The position of a cursor. Errors: CURSOR_EXPIRED when it is of another log, above the head, below what is kept, or
// when another event stands at its sequence; STORE_UNAVAILABLE, also while this gateway has not read a shared log as
// far as the one that the cursor is from.
absl::StatusOr<Position> ResolveCursor(EventLog& log, const Cursor& cursor);

// The position of `sequence`, with the fingerprint of the event there, where there is one. Error: STORE_UNAVAILABLE.
absl::StatusOr<Position> PositionAt(EventLog& log, uint64_t sequence);

// The position of any start. Errors: as ResolveCursor.
absl::StatusOr<Position> ResolveStart(EventLog& log, const LogStart& start);

// EventLog::Read for readers that must not miss anything. Errors: CURSOR_EXPIRED when retention has taken events after
// `after`; STORE_UNAVAILABLE.
absl::StatusOr<EventPage> ReadOnward(EventLog& log, uint64_t after, const ReadLimits& limits);

}  // namespace aulm::gateway
