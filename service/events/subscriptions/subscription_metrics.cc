#include "service/events/subscriptions/subscription_metrics.h"

namespace aulm::gateway {
namespace {

prometheus::Family<prometheus::Gauge>& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

prometheus::Family<prometheus::Counter>& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

}  // namespace

SubscriptionMetrics::SubscriptionMetrics(prometheus::Registry& registry)
    : lag_events_(Gauge(registry, "aulm_subscription_lag_events",
                        "Events stored and not yet settled or passed over, by subscription, of this replica's share.")),
      lag_seconds_(Gauge(registry, "aulm_subscription_lag_seconds",
                         "Age of the oldest event that is not settled or passed over, by subscription.")),
      outstanding_(Gauge(registry, "aulm_subscription_outstanding_events",
                         "Deliveries that wait for their settlement, by subscription.")),
      oldest_outstanding_(Gauge(registry, "aulm_subscription_oldest_outstanding_seconds",
                                "Age of the oldest delivery that waits for its settlement, by subscription.")),
      parked_(Gauge(registry, "aulm_subscription_parked_events", "Events that are parked, by subscription.")),
      consumers_(Gauge(registry, "aulm_subscription_consumers",
                       "Streams that consume a subscription, waiting ones included.")),
      partitions_(Gauge(registry, "aulm_subscription_partitions",
                        "Partitions of a subscription that this replica has, of 64.")),
      deliveries_(
          Counter(registry, "aulm_subscription_deliveries_total", "Events handed to consumers, by subscription.")),
      redeliveries_(Counter(registry, "aulm_subscription_redeliveries_total",
                            "Deliveries that were not an event's first, by subscription.")),
      missed_deadlines_(Counter(registry, "aulm_subscription_missed_deadlines_total",
                                "Deliveries that were not settled within their deadline, by subscription.")),
      settlements_(Counter(registry, "aulm_subscription_settlements_total",
                           "Deliveries that were settled, by subscription and action.")),
      stale_(Counter(registry, "aulm_subscription_stale_settlements_total",
                     "Settlements that came too late and did nothing, by subscription.")),
      gaps_(Counter(registry, "aulm_subscription_gaps_total",
                    "Times that a subscription fell behind what the log keeps and lost events.")),
      write_failures_(Counter(registry, "aulm_subscription_write_failures_total",
                              "Writes of a subscription's position that failed; repeated.")) {}

std::shared_ptr<SubscriptionMetrics::Series> SubscriptionMetrics::Of(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  std::weak_ptr<Series>& known = series_[name];
  std::shared_ptr<Series> series = known.lock();
  if (series == nullptr) {
    series = std::shared_ptr<Series>(Make(name), [this, name](Series* released) { Release(name, released); });
    known = series;
  }
  return series;
}

SubscriptionMetrics::Series* SubscriptionMetrics::Make(const std::string& name) {
  const prometheus::Labels labels{{"subscription", name}};
  const auto with_action = [&](const char* action) {
    return &settlements_.Add({{"subscription", name}, {"action", action}});
  };
  auto* const series = new Series;
  series->lag_events = &lag_events_.Add(labels);
  series->lag_seconds = &lag_seconds_.Add(labels);
  series->outstanding_events = &outstanding_.Add(labels);
  series->oldest_outstanding_seconds = &oldest_outstanding_.Add(labels);
  series->parked_events = &parked_.Add(labels);
  series->consumers = &consumers_.Add(labels);
  series->partitions = &partitions_.Add(labels);
  series->deliveries = &deliveries_.Add(labels);
  series->redeliveries = &redeliveries_.Add(labels);
  series->missed_deadlines = &missed_deadlines_.Add(labels);
  series->acknowledged = with_action("ack");
  series->skipped = with_action("skip");
  series->retried = with_action("retry");
  series->parked = with_action("park");
  series->stale = &stale_.Add(labels);
  series->gaps = &gaps_.Add(labels);
  series->write_failures = &write_failures_.Add(labels);
  return series;
}

void SubscriptionMetrics::Release(const std::string& name, Series* series) {
  const std::unique_ptr<Series> freed(series);
  absl::MutexLock lock(&mutex_);
  const auto known = series_.find(name);
  // Asked for again in the meantime: then they are the same series, and stay.
  if (known == series_.end() || !known->second.expired()) return;
  series_.erase(known);
  lag_events_.Remove(series->lag_events);
  lag_seconds_.Remove(series->lag_seconds);
  outstanding_.Remove(series->outstanding_events);
  oldest_outstanding_.Remove(series->oldest_outstanding_seconds);
  parked_.Remove(series->parked_events);
  consumers_.Remove(series->consumers);
  partitions_.Remove(series->partitions);
  deliveries_.Remove(series->deliveries);
  redeliveries_.Remove(series->redeliveries);
  missed_deadlines_.Remove(series->missed_deadlines);
  for (prometheus::Counter* const settled : {series->acknowledged, series->skipped, series->retried, series->parked}) {
    settlements_.Remove(settled);
  }
  stale_.Remove(series->stale);
  gaps_.Remove(series->gaps);
  write_failures_.Remove(series->write_failures);
}

}  // namespace aulm::gateway
