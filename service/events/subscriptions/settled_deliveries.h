#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/events/subscriptions/ack_token.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/events/subscriptions/subscription_metrics.h"

namespace aulm::gateway {

// What became of the settlements of one request.
struct SettledDeliveries {
  v1::AcknowledgeEventsResponse response;  // a result for each, in their order
  bool to_be_written = false;              // before the response may go out
};

// Settles deliveries of mode SHARED with the ledger that handed them out, under `epoch`, and counts them. `tokens` are
// those of the settlements, at the same index; nullopt where one is no token of the subscription.
SettledDeliveries SettleDeliveries(const v1::AcknowledgeEventsRequest& request,
                                   const std::vector<std::optional<AckToken>>& tokens, uint64_t epoch, absl::Time now,
                                   SharedLedger& ledger, SubscriptionMetrics::Series& series);

}  // namespace aulm::gateway
