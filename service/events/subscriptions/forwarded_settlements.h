#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "aulm/gateway/v1/event_service.pb.h"
#include "service/events/subscriptions/ack_token.h"
#include "service/events/subscriptions/assignment.h"
#include "service/events/subscriptions/durable_subscription.h"

namespace aulm::gateway {

// Asks `owner`, another replica, to settle what is its own.
using AskOwner = std::function<void(const std::string& owner, v1::AcknowledgeEventsRequest request,
                                    DurableSubscription::AcknowledgeCallback done)>;

// Settles a request of mode SHARED whose tokens are of several replicas' shares: this one's by `local`, the others' by
// asking them, in questions that PeerChannel can carry. `tokens` are those of the settlements, at the same index;
// nullopt where one is no token of the subscription. A token of a share that `assignment` does not have is stale. Calls
// `done` once all have answered, with the results in the order of the settlements, or with the first error: then some
// may have taken effect, and asking again finds them stale.
void SettleAcross(const v1::AcknowledgeEventsRequest& request, const std::vector<std::optional<AckToken>>& tokens,
                  DurableSubscription& local, const Assignment& assignment, const AskOwner& ask,
                  DurableSubscription::AcknowledgeCallback done);

}  // namespace aulm::gateway
