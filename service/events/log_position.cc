#include "service/events/log_position.h"

#include <algorithm>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kTooOld = "is older than what the event log keeps";

absl::Status StoreUnavailable(const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("the event log cannot be read: ", cause.message()));
}

// Not OK when the cursor comes from a gateway that has read the shared log further than this one.
absl::Status CheckKnown(EventLog& log, const Cursor& cursor) {
  const LogInfo info = log.Info();
  if (!info.Covers(cursor.epoch) || cursor.sequence <= info.head) return absl::OkStatus();
  const absl::StatusOr<uint64_t> head = log.FindHead();
  if (!head.ok()) return StoreUnavailable(head.status());
  if (cursor.sequence > *head || cursor.sequence <= log.Info().head) return absl::OkStatus();
  return GatewayError(GatewayReason::kStoreUnavailable,
                      "this gateway has not read the event log as far as the cursor yet: try again");
}

}  // namespace

absl::Status CursorExpired(const LogInfo& info, absl::string_view why) {
  const Position earliest = EarliestPosition(info);
  const std::string cursor = EncodeCursor({info.epoch, earliest.sequence, earliest.fingerprint});
  return GatewayError(GatewayReason::kCursorExpired,
                      absl::StrCat("the cursor ", why, "; continue from earliest_cursor, or set on_expired_cursor"),
                      {{"earliest_cursor", absl::WebSafeBase64Escape(cursor)}});
}

absl::Status CheckCoverage(const Cursor& cursor, const LogInfo& info) {
  if (!info.Covers(cursor.epoch)) return CursorExpired(info, "is of another event log");
  if (cursor.sequence > info.head) return CursorExpired(info, "is of events that this event log lost");
  if (cursor.sequence < info.earliest - 1) return CursorExpired(info, kTooOld);
  return absl::OkStatus();
}

absl::StatusOr<Position> PositionAt(EventLog& log, uint64_t sequence) {
  if (sequence == 0) return Position{};
  ReadLimits one;
  one.max_events = 1;
  absl::StatusOr<EventPage> page = log.Read(sequence - 1, one);
  if (!page.ok()) return StoreUnavailable(page.status());
  if (page->events.empty() || page->events.front().sequence != sequence) return Position{sequence, 0};
  return Position{sequence, Fingerprint(page->events.front())};
}

absl::StatusOr<Position> ResolveCursor(EventLog& log, const Cursor& cursor) {
  if (absl::Status known = CheckKnown(log, cursor); !known.ok()) return known;
  const LogInfo before = log.Info();
  if (absl::Status covered = CheckCoverage(cursor, before); !covered.ok()) return covered;
  const Position asked{cursor.sequence, cursor.fingerprint};
  if (cursor.sequence == before.earliest - 1) return asked;
  absl::StatusOr<Position> found = PositionAt(log, cursor.sequence);
  if (!found.ok()) return found.status();
  if (found->fingerprint == cursor.fingerprint) return asked;
  // Retention may have come between the two looks.
  const LogInfo after = log.Info();
  if (cursor.sequence == after.earliest - 1) return asked;
  if (absl::Status covered = CheckCoverage(cursor, after); !covered.ok()) return covered;
  return CursorExpired(after, "is of an event that this event log lost (another one stands in its place)");
}

absl::StatusOr<Position> ResolveStart(EventLog& log, const LogStart& start) {
  if (const auto* const cursor = std::get_if<Cursor>(&start)) return ResolveCursor(log, *cursor);
  const LogInfo info = log.Info();
  if (std::holds_alternative<Earliest>(start)) return EarliestPosition(info);
  if (std::holds_alternative<Latest>(start)) return PositionAt(log, info.head);
  const absl::StatusOr<uint64_t> after = log.FindTime(std::get<absl::Time>(start));
  if (!after.ok()) return StoreUnavailable(after.status());
  return PositionAt(log, std::max(*after, info.earliest - 1));
}

absl::StatusOr<EventPage> ReadOnward(EventLog& log, uint64_t after, const ReadLimits& limits) {
  absl::StatusOr<EventPage> page = log.Read(after, limits);
  if (!page.ok()) return StoreUnavailable(page.status());
  // The next sequence is there: nothing can be missing.
  if (!page->events.empty() && page->events.front().sequence == after + 1) return page;
  LogInfo info = log.Info();
  if (page->events.empty() && info.head <= after) return page;
  if (info.earliest > after + 1) return CursorExpired(info, kTooOld);
  // Either the log has a gap here, or retention is at work and its figures are not out yet: then the event that they
  // call the oldest is gone.
  ReadLimits one;
  one.max_events = 1;
  const absl::StatusOr<EventPage> oldest = log.Read(info.earliest - 1, one);
  if (!oldest.ok()) return StoreUnavailable(oldest.status());
  if (!oldest->events.empty() && oldest->events.front().sequence == info.earliest) return page;
  info.earliest = oldest->events.empty() ? info.head + 1 : oldest->events.front().sequence;
  return CursorExpired(info, kTooOld);
}

}  // namespace aulm::gateway
