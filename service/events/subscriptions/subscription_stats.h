#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"
#include "aulm/gateway/state/v1/subscription_peer.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/events/subscriptions/assignment.h"
#include "service/events/subscriptions/share_records.h"
#include "service/events/subscriptions/subscription_metrics.h"
#include "service/storage/event_log.h"
#include "service/storage/state_store.h"

// How far a subscription is, put together from its shares.
namespace aulm::gateway {

// How far a share is that nobody works on, by what the store has of it. Blocks. Errors: the store's.
absl::StatusOr<state::v1::ShareStats> ReadStoredStats(StateStore& state, const EventLog& log,
                                                      const std::string& subscription_id,
                                                      const Assignment::Share& share, bool whole);

// Adds a share to what is known of the others.
void Add(const state::v1::ShareStats& share, state::v1::ShareStats& all);

// What callers are told: with the age of the oldest event and the cursor, which the log has to be read for. Blocks.
v1::SubscriptionStats Finish(const state::v1::ShareStats& all, EventLog& log, absl::Time now);

// What the metrics of a share are set to.
void SetGauges(const v1::SubscriptionStats& stats, SubscriptionMetrics::Series& series);

}  // namespace aulm::gateway
