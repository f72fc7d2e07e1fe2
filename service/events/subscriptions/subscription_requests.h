#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/events/log_position.h"
#include "service/events/subscriptions/durable_subscription.h"

// The checks of requests about durable subscriptions that need nothing but the request and the time. Errors:
// INVALID_FIELD naming every bad field; then CURSOR_INVALID.
namespace aulm::gateway {

// A CreateSubscriptionRequest that was checked: the specification with every default filled in, and where it starts.
struct NewSubscription {
  v1::Subscription specification;
  LogStart start = Latest{};
  std::string caller;         // who makes it; empty where callers are not told apart
  size_t most_of_caller = 0;  // subscriptions that the caller may have; 0: no limit of its own
};

absl::StatusOr<NewSubscription> CheckRequest(const v1::CreateSubscriptionRequest& request, absl::Time now);
absl::StatusOr<LogStart> CheckRequest(const v1::SeekSubscriptionRequest& request, absl::Time now);
absl::Status CheckRequest(const v1::ListSubscriptionsRequest& request);
absl::Status CheckRequest(const v1::ListParkedEventsRequest& request);
absl::Status CheckRequest(const v1::ReplayParkedEventsRequest& request);
absl::Status CheckRequest(const v1::AcknowledgeEventsRequest& request);

// Of a SubscribeEventsRequest whose subscription is set.
absl::StatusOr<ConsumerSpec> CheckConsumer(const v1::SubscribeEventsRequest& request);

// INVALID_FIELD when `name` cannot be a subscription's; `field` is what it came in.
absl::Status CheckSubscriptionName(absl::string_view name, absl::string_view field);

}  // namespace aulm::gateway
