#pragma once

#include <string>

#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// Events for the admin page, as JSON on one line: which account, session and kind, when, what became of a message, and
// the peer masked. Never a body, a label or a whole phone number; ids only where they are plain.

std::string WriteEvent(const LoggedEvent& logged);

// The parked events of a subscription, each with the words that name it to `aulmctl subscriptions replay`:
// {"events": [{…, "attempts", "reason", "parked", "cursor"}], "more": bool}.
std::string WriteParkedEvents(const v1::ListParkedEventsResponse& parked);

}  // namespace aulm::gateway
