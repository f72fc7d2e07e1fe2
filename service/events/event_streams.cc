#include "service/events/event_streams.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kRetryWhenFull = absl::Seconds(5);

// Sets the metric every `interval`, as long as the registry is there.
template <typename Registry>
void MeasureLag(const std::weak_ptr<Registry>& weak, Clock& clock, EventsMetrics& metrics, absl::Duration interval) {
  clock.CallAfter(interval, [weak, &clock, &metrics, interval] {
    const std::shared_ptr<Registry> registry = weak.lock();
    if (registry == nullptr) return;
    uint64_t lag = 0;
    for (const auto& stream : registry->All()) lag = std::max(lag, stream->LagEvents());
    metrics.max_lag_events->Set(static_cast<double>(lag));
    MeasureLag<Registry>(weak, clock, metrics, interval);
  });
}

}  // namespace

std::vector<std::shared_ptr<EventStream>> EventStreams::Registry::All() {
  std::vector<std::shared_ptr<EventStream>> all;
  absl::MutexLock lock(&mutex);
  all.reserve(streams.size());
  for (const auto& [key, weak] : streams) {
    if (auto stream = weak.lock(); stream != nullptr) all.push_back(std::move(stream));
  }
  return all;
}

EventStreams::EventStreams(EventHub& hub, Clock& clock, Random& random, EventsMetrics& metrics,
                           const EventStreamsOptions& options)
    : context_{hub, clock, random, metrics, options.stream},
      registry_(std::make_shared<Registry>(options.max_streams)) {
  MeasureLag<Registry>(registry_, clock, metrics, options.lag_interval);
}

absl::StatusOr<std::shared_ptr<EventStream>> EventStreams::Open(StreamSpec spec) {
  auto on_close = [registry = registry_, &metrics = context_.metrics](const EventStream* closed) {
    absl::MutexLock lock(&registry->mutex);
    registry->streams.erase(closed);
    metrics.streams->Set(static_cast<double>(registry->streams.size()));
  };
  absl::MutexLock lock(&registry_->mutex);
  if (registry_->draining) {
    return GatewayError(GatewayReason::kDraining, "the gateway is shutting down: connect to another replica, or later");
  }
  if (registry_->streams.size() >= registry_->max_streams) {
    context_.metrics.refused_overload->Increment();
    absl::Status full = GatewayError(
        GatewayReason::kOverloaded,
        absl::StrCat("all ", registry_->max_streams, " streams are taken: repeat later, or raise limits.streams"));
    SetRetryDelay(full, kRetryWhenFull);
    return full;
  }
  auto stream = std::make_shared<EventStream>(context_, std::move(spec), context_.random.Uuid(), std::move(on_close));
  registry_->streams.emplace(stream.get(), stream);
  context_.metrics.streams->Set(static_cast<double>(registry_->streams.size()));
  return stream;
}

void EventStreams::Drain() {
  {
    absl::MutexLock lock(&registry_->mutex);
    registry_->draining = true;
  }
  for (const std::shared_ptr<EventStream>& stream : registry_->All()) stream->Drain();
}

std::vector<EventStreams::Look> EventStreams::LookAtAll() const {
  std::vector<Look> looks;
  for (const std::shared_ptr<EventStream>& stream : registry_->All()) {
    looks.push_back({stream->id(), stream->LagEvents(), stream->totals()});
  }
  return looks;
}

size_t EventStreams::size() const {
  absl::MutexLock lock(&registry_->mutex);
  return registry_->streams.size();
}

}  // namespace aulm::gateway
