#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/events/subscriptions/subscription_requests.h"
#include "service/storage/event_log.h"
#include "service/storage/state_store.h"

// What subscriptions there are, by name, as the store has it. Every function that takes a store blocks on it; errors
// are what callers get.
namespace aulm::gateway {

inline constexpr char kSubscriptions[] = "subscriptions";

// SUBSCRIPTION_NOT_FOUND.
absl::Status SubscriptionNotFound(const std::string& name);

// Errors: SUBSCRIPTION_NOT_FOUND, STORE_UNAVAILABLE.
absl::StatusOr<state::v1::SubscriptionRecord> ReadSubscription(StateStore& state, const std::string& name);

// One page of names, in their order.
struct SubscriptionNames {
  std::vector<std::string> names;
  std::string next_page_token;  // empty on the last
};

// Those of one owner; nullopt: of all. Error: STORE_UNAVAILABLE.
absl::StatusOr<SubscriptionNames> ListSubscriptionNames(StateStore& state, const std::optional<std::string>& owner,
                                                        const v1::ListSubscriptionsRequest& request);

// Makes a subscription, or finds the one that is there with the same specification. Errors: SUBSCRIPTION_EXISTS with
// another one, OVERLOADED when there are `max` already, CURSOR_EXPIRED, STORE_UNAVAILABLE.
absl::StatusOr<state::v1::SubscriptionRecord> CreateSubscription(const NewSubscription& subscription, size_t max,
                                                                 StateStore& state, EventLog& log, Clock& clock,
                                                                 Random& random);

// Deletes a subscription and whatever is kept of it.
// Errors: SUBSCRIPTION_NOT_FOUND, STORE_UNAVAILABLE.
absl::Status DeleteSubscription(StateStore& state, const std::string& name);

}  // namespace aulm::gateway
