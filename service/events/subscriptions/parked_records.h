#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/events/event_filter.h"
#include "service/storage/event_log.h"
#include "service/storage/state_store.h"

// Parked events as the store has them: bucket parked_events. Every function that takes a store blocks on it.
namespace aulm::gateway {

inline constexpr char kParkedEvents[] = "parked_events";

// Under which key an event of a subscription is kept: sorts by the time of parking.
std::string ParkedKey(absl::string_view subscription_id, int64_t parked_ms, uint64_t sequence);

// Calls `visit` with every record of the subscription, in the order of parking. Errors: the store's.
absl::Status ForEachParked(StateStore& state, const std::string& subscription_id,
                           const std::function<void(const state::v1::ParkedRecord&)>& visit);

// True where `visibility` (null: everything) allows the event at `sequence`, or the log has it no more: its cursor
// tells nobody anything. Error: STORE_UNAVAILABLE.
absl::StatusOr<bool> MayBeSeen(EventLog& log, uint64_t sequence, const EventVisibility* visibility);

// One page for ListParkedEvents, of what `visibility` allows (null: everything). Errors: INVALID_FIELD for a page_token
// that no page ended with; STORE_UNAVAILABLE.
absl::StatusOr<v1::ListParkedEventsResponse> ReadParkedPage(StateStore& state, EventLog& log,
                                                            const std::string& subscription_id,
                                                            const EventVisibility* visibility,
                                                            const v1::ListParkedEventsRequest& request);

// Parked events that were marked as on their way back.
struct MarkedReplays {
  std::vector<state::v1::ParkedRecord> records;
  absl::Status failure;  // not OK: some could not be marked
};

// Marks the parked events that `request` names, the log still has, `visibility` allows (null: everything) and `chosen`
// is true for. Errors: CURSOR_INVALID, STORE_UNAVAILABLE.
absl::StatusOr<MarkedReplays> MarkReplays(StateStore& state, EventLog& log, const std::string& subscription_id,
                                          const EventVisibility* visibility,
                                          const v1::ReplayParkedEventsRequest& request,
                                          const std::function<bool(uint64_t conversation)>& chosen);

}  // namespace aulm::gateway
