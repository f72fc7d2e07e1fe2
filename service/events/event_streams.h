#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/events/event_stream.h"

namespace aulm::gateway {

struct EventStreamsOptions {
  size_t max_streams = 10'000;
  absl::Duration lag_interval = absl::Seconds(5);  // between two looks at how far the streams are behind
  EventStreamOptions stream;
};

// The streams that are open: admits new ones up to a limit, drains all at shutdown, and measures how far behind the
// slowest is. `rpc` opens one for each SubscribeEvents call. Thread-safe; never blocks.
class EventStreams {
 public:
  // All must outlive this, and this every stream.
  EventStreams(EventHub& hub, Clock& clock, Random& random, EventsMetrics& metrics,
               const EventStreamsOptions& options = {});

  // A stream that waits for its Start; whoever takes it must Close it. Errors: OVERLOADED, DRAINING.
  absl::StatusOr<std::shared_ptr<EventStream>> Open(StreamSpec spec);

  // Ends every stream with a Drain frame and refuses new ones. Does not wait for the clients to take the frame:
  // shutting the gRPC server down does.
  void Drain();

  // Streams that are open.
  size_t size() const;

  // One of them, to look at.
  struct Look {
    std::string id;
    uint64_t lag_events = 0;
    FrameSource::Totals totals;
  };
  // All of them, in no order.
  std::vector<Look> LookAtAll() const;

 private:
  // Shared with the timer, which may outlive this.
  struct Registry {
    explicit Registry(size_t max) : max_streams(max) {}

    std::vector<std::shared_ptr<EventStream>> All() ABSL_LOCKS_EXCLUDED(mutex);

    const size_t max_streams;
    absl::Mutex mutex;
    absl::flat_hash_map<const EventStream*, std::weak_ptr<EventStream>> streams ABSL_GUARDED_BY(mutex);
    bool draining ABSL_GUARDED_BY(mutex) = false;
  };

  const EventStreamContext context_;
  const std::shared_ptr<Registry> registry_;
};

}  // namespace aulm::gateway
