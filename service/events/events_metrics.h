#pragma once

#include <array>

#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "service/events/frame.h"

namespace aulm::gateway {

// aulm_events_…: what the fan-out does. Every series is there from the start. Thread-safe.
class EventsMetrics {
 public:
  // The registry must outlive this.
  explicit EventsMetrics(prometheus::Registry& registry);

  // A frame was handed to a stream.
  void CountFrame(const Frame& frame);

  // Why the gateway ended a stream with a Drain.
  void CountDrain(bool for_age) { (for_age ? drains_age_ : drains_shutdown_)->Increment(); }

  prometheus::Gauge* streams;             // open
  prometheus::Gauge* max_lag_events;      // of the open streams
  prometheus::Gauge* ring_bytes;          // memory of the ring
  prometheus::Gauge* ring_events;         // events in it
  prometheus::Counter* encoded_events;    // into the ring: each once
  prometheus::Counter* catch_up_reads;    // pages read for single streams
  prometheus::Counter* read_failures;     // of the hub and of streams
  prometheus::Counter* expired;           // positions that retention overtook, of cursors and of live streams
  prometheus::Counter* stalls;            // streams cancelled since their client took nothing
  prometheus::Counter* refused_overload;  // streams refused since there are too many

 private:
  prometheus::Counter* deliveries_;
  prometheus::Counter* frame_bytes_;
  std::array<prometheus::Counter*, 5> frames_;  // by FrameKind
  prometheus::Counter* drains_shutdown_;
  prometheus::Counter* drains_age_;
};

}  // namespace aulm::gateway
