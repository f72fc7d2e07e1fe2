#pragma once

#include "absl/status/statusor.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/events/stream_spec.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// An event as callers see it: with its cursor (in a log of `epoch`), its ingested time and, where it was read, its raw
// body.
void DecodeEvent(const LoggedEvent& logged, uint64_t epoch, v1::Event& event);

// One page of the log for ReadEvents: at most spec.page_size events and about 3 MiB, after looking at a bounded number
// of events, so that a page may be short or empty before the end of the log. Blocks on the log: run it on one of the
// hub's workers. Errors: CURSOR_EXPIRED, STORE_UNAVAILABLE.
absl::StatusOr<v1::ReadEventsResponse> ReadEventPage(EventLog& log, const ReadSpec& spec);

}  // namespace aulm::gateway
