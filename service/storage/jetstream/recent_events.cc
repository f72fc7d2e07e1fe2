#include "service/storage/jetstream/recent_events.h"

#include <algorithm>
#include <utility>

#include "service/storage/jetstream/stored_event.h"

namespace aulm::gateway {
namespace {

// What an event costs beside its payload, roughly.
constexpr size_t kOverheadBytes = 512;

}  // namespace

// Whole milliseconds, as the seam has them, whichever way the stream told the time.
FetchedEvent::FetchedEvent(uint64_t sequence, absl::Time time, NatsMessage from)
    : message(std::move(from)), stored(absl::FromUnixMillis(absl::ToUnixMillis(time))) {
  event.ingested = stored;
  readable = DecodeStoredEvent(message.data(), event);
  event.sequence = sequence;
}

void RecentEvents::Add(std::shared_ptr<const FetchedEvent> event) {
  head_ = event->event.sequence;
  bytes_ += event->message.data().size() + kOverheadBytes;
  events_.push_back(std::move(event));
  while (bytes_ > max_bytes_ && events_.size() > 1) {
    bytes_ -= events_.front()->message.data().size() + kOverheadBytes;
    start_ = events_.front()->event.sequence;
    events_.pop_front();
  }
}

FetchedEvents RecentEvents::After(uint64_t after, size_t max_events) const {
  const auto first = std::upper_bound(events_.begin(), events_.end(), after,
                                      [](uint64_t sequence, const std::shared_ptr<const FetchedEvent>& event) {
                                        return sequence < event->event.sequence;
                                      });
  const auto count = std::min<size_t>(max_events, static_cast<size_t>(events_.end() - first));
  return FetchedEvents(first, first + static_cast<std::ptrdiff_t>(count));
}

}  // namespace aulm::gateway
