#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "prometheus/collectable.h"
#include "service/admin/readiness.h"
#include "service/base/clock.h"
#include "service/events/event_hub.h"
#include "service/events/event_streams.h"
#include "service/events/subscriptions/subscriptions.h"
#include "service/messaging/pacer.h"
#include "service/messaging/session_watch.h"

namespace aulm::gateway {

// What the admin page shows is taken from. All of it outlives the page.
struct OverviewSources {
  const Readiness& readiness;
  std::vector<const prometheus::Collectable*> metrics;
  EventHub& hub;
  Subscriptions& subscriptions;
  const EventStreams& streams;
  const SessionWatch& sessions;
  const Pacer& pacer;
  Clock& clock;
  std::string instance;  // what tells this replica from the others, such as the host's name
  // Every session of the configuration, as account and id: also those that nobody watches.
  std::vector<std::pair<std::string, std::string>> listed_sessions;
};

// Events stored in each of the last seconds, the newest last.
using EventHistory = std::deque<uint32_t>;

// What the store last told of the subscriptions; null while it has told nothing.
using KnownSubscriptions = std::shared_ptr<const absl::StatusOr<v1::ListSubscriptionsResponse>>;

// What the page shows of one moment, as a JSON object on one line (page.js reads it): no secret, no body, no phone
// number. Lists are cut at some hundred entries, with their whole size beside them. Collects the metrics: some hundred
// microseconds; does not wait for anything.
std::string WriteOverview(const OverviewSources& sources, const KnownSubscriptions& subscriptions,
                          const EventHistory& history);

}  // namespace aulm::gateway
