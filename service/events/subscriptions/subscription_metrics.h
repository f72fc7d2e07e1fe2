#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace aulm::gateway {

// aulm_subscription_…: how far each durable subscription is, by its name. The series of a subscription exist from its
// first use until it is deleted. Thread-safe.
class SubscriptionMetrics {
 public:
  // The series of one subscription.
  struct Series {
    prometheus::Gauge* lag_events;
    prometheus::Gauge* lag_seconds;
    prometheus::Gauge* outstanding_events;
    prometheus::Gauge* oldest_outstanding_seconds;
    prometheus::Gauge* parked_events;
    prometheus::Gauge* consumers;
    prometheus::Gauge* partitions;
    prometheus::Counter* deliveries;
    prometheus::Counter* redeliveries;
    prometheus::Counter* missed_deadlines;
    prometheus::Counter* acknowledged;
    prometheus::Counter* skipped;
    prometheus::Counter* retried;
    prometheus::Counter* parked;
    prometheus::Counter* stale;
    prometheus::Counter* gaps;
    prometheus::Counter* write_failures;
  };

  // The registry must outlive this.
  explicit SubscriptionMetrics(prometheus::Registry& registry);

  // The series of `name`, the same for all who ask while somebody has them: a subscription that is deleted and made
  // again may overlap with itself. This must outlive them.
  std::shared_ptr<Series> Of(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Series* Make(const std::string& name);
  void Release(const std::string& name, Series* series) ABSL_LOCKS_EXCLUDED(mutex_);

  using Gauges = prometheus::Family<prometheus::Gauge>;
  using Counters = prometheus::Family<prometheus::Counter>;

  Gauges& lag_events_;
  Gauges& lag_seconds_;
  Gauges& outstanding_;
  Gauges& oldest_outstanding_;
  Gauges& parked_;
  Gauges& consumers_;
  Gauges& partitions_;
  Counters& deliveries_;
  Counters& redeliveries_;
  Counters& missed_deadlines_;
  Counters& settlements_;
  Counters& stale_;
  Counters& gaps_;
  Counters& write_failures_;

  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::weak_ptr<Series>> series_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
