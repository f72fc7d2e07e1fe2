#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/base/status_details.h"
#include "service/events/event_filter.h"
#include "service/events/log_position.h"

namespace aulm::gateway {

// What a stream does about a position that the log no longer covers.
enum class OnExpired { kFail, kEarliest, kLatest };

// A SubscribeEventsRequest that was checked, with every default filled in.
struct StreamSpec {
  LogStart start = Latest{};
  EventSelection selection;
  size_t max_batch_events = 256;
  absl::Duration heartbeat_interval = absl::Seconds(20);
  OnExpired on_expired = OnExpired::kFail;
  bool include_raw_body = false;
};

// A ReadEventsRequest, likewise.
struct ReadSpec {
  LogStart start = Latest{};
  EventSelection selection;
  size_t page_size = 100;
  bool include_raw_body = false;
};

// The filter's checks alone; paths begin with "filter.".
void CheckFilter(const v1::EventFilter& filter, FieldViolations& bad);

// The checks that need nothing but the request and the time. Errors: INVALID_FIELD naming every bad field; then
// CURSOR_INVALID.
absl::StatusOr<StreamSpec> CheckRequest(const v1::SubscribeEventsRequest& request, absl::Time now);
absl::StatusOr<ReadSpec> CheckRequest(const v1::ReadEventsRequest& request, absl::Time now);

}  // namespace aulm::gateway
