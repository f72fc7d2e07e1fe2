#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>

#include "absl/time/time.h"
#include "service/storage/event_log.h"
#include "service/storage/jetstream/nats_message.h"

namespace aulm::gateway {

// An event of the stream with the message that its views point into.
struct FetchedEvent {
  FetchedEvent(uint64_t sequence, absl::Time time, NatsMessage message);

  const NatsMessage message;
  const absl::Time stored;  // the stream's time of it, in milliseconds
  LoggedEvent event;        // with its raw body
  bool readable = true;     // false: no event of ours; somebody else published to the stream
};
using FetchedEvents = std::deque<std::shared_ptr<const FetchedEvent>>;

// The newest events that a replica has followed, as they came, bounded in bytes: everything after `start` up to `head`.
// Not thread-safe.
class RecentEvents {
 public:
  // Nothing yet: the next event is the one after `head`.
  RecentEvents(uint64_t head, size_t max_bytes) : start_(head), head_(head), max_bytes_(max_bytes) {}

  uint64_t start() const { return start_; }
  uint64_t head() const { return head_; }

  // The newest event, while it is kept.
  std::shared_ptr<const FetchedEvent> newest() const { return events_.empty() ? nullptr : events_.back(); }

  // The next event; the oldest ones go as the bytes demand.
  void Add(std::shared_ptr<const FetchedEvent> event);

  // The events after `after`, which is not below start(); at most `max_events`.
  FetchedEvents After(uint64_t after, size_t max_events) const;

 private:
  uint64_t start_;
  uint64_t head_;
  const size_t max_bytes_;
  size_t bytes_ = 0;
  FetchedEvents events_;
};

}  // namespace aulm::gateway
