#pragma once

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/status_details.h"
#include "service/events/log_position.h"

// The start of every request that has one: after_cursor, start_time or position, the same in all of them. Thread-safe.
namespace aulm::gateway {

// The start's own checks. A cursor is decoded apart, since a bad one has a reason of its own.
template <typename Request>
void CheckStart(const Request& request, absl::Time now, FieldViolations& bad) {
  if (request.start_case() == Request::kStartTime) {
    const auto& time = request.start_time();
    if (time.seconds() < google::protobuf::util::TimeUtil::kTimestampMinSeconds ||
        time.seconds() > google::protobuf::util::TimeUtil::kTimestampMaxSeconds || time.nanos() < 0 ||
        time.nanos() > 999'999'999) {
      bad.Add("start_time", "must be a time between the years 1 and 9999 with 0 to 999999999 nanos");
    } else if (absl::FromUnixSeconds(time.seconds()) > now + absl::Minutes(1)) {
      bad.Add("start_time", "must not lie in the future");  // clocks differ a little
    }
  }
  if (request.start_case() == Request::kPosition && request.position() != v1::START_POSITION_EARLIEST &&
      request.position() != v1::START_POSITION_LATEST) {
    bad.Add("position", "must be EARLIEST or LATEST");
  }
}

// Where a request that was checked starts: LATEST where it says nothing. Error: CURSOR_INVALID.
template <typename Request>
absl::StatusOr<LogStart> ToStart(const Request& request) {
  switch (request.start_case()) {
    case Request::kAfterCursor: {
      const absl::StatusOr<Cursor> cursor = DecodeCursor(request.after_cursor());
      if (!cursor.ok()) return cursor.status();
      return *cursor;
    }
    case Request::kStartTime:
      return absl::FromUnixSeconds(request.start_time().seconds()) + absl::Nanoseconds(request.start_time().nanos());
    case Request::kPosition:
      if (request.position() == v1::START_POSITION_EARLIEST) return Earliest{};
      return Latest{};
    default:
      return Latest{};
  }
  return Latest{};
}

}  // namespace aulm::gateway
