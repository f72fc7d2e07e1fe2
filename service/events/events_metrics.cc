#include "service/events/events_metrics.h"

namespace aulm::gateway {
namespace {

prometheus::Gauge& Gauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Counter& Counter(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry).Add({});
}

}  // namespace

EventsMetrics::EventsMetrics(prometheus::Registry& registry)
    : streams(&Gauge(registry, "aulm_events_streams", "SubscribeEvents streams that are open.")),
      max_lag_events(&Gauge(registry, "aulm_events_max_lag_events",
                            "Events that the open stream furthest behind has not looked at, every few seconds.")),
      ring_bytes(&Gauge(registry, "aulm_events_ring_bytes", "Memory of the encoded recent events.")),
      ring_events(&Gauge(registry, "aulm_events_ring_events", "Recent events kept encoded.")),
      encoded_events(
          &Counter(registry, "aulm_events_encoded_total", "Live events encoded, each once for all streams.")),
      catch_up_reads(&Counter(registry, "aulm_events_catch_up_reads_total",
                              "Pages read from the log for streams that are behind the recent events.")),
      read_failures(&Counter(registry, "aulm_events_read_failures_total", "Reads of the log that failed; repeated.")),
      expired(&Counter(registry, "aulm_events_expired_total",
                       "Positions that the log no longer covers, asked for or of live streams.")),
      stalls(&Counter(registry, "aulm_events_stalls_total", "Streams cancelled because their client took nothing.")),
      refused_overload(&Counter(registry, "aulm_events_refused_total", "Streams refused because too many are open.")),
      deliveries_(&Counter(registry, "aulm_events_deliveries_total", "Events handed to streams.")),
      frame_bytes_(&Counter(registry, "aulm_events_frame_bytes_total", "Bytes of the frames handed to streams.")) {
  auto& frames = prometheus::BuildCounter()
                     .Name("aulm_events_frames_total")
                     .Help("Frames handed to streams, by kind.")
                     .Register(registry);
  frames_ = {&frames.Add({{"kind", "started"}}), &frames.Add({{"kind", "event_batch"}}),
             &frames.Add({{"kind", "heartbeat"}}), &frames.Add({{"kind", "gap"}}), &frames.Add({{"kind", "drain"}})};
  auto& drains = prometheus::BuildCounter()
                     .Name("aulm_events_drains_total")
                     .Help("Streams that the gateway ended with a Drain frame, by reason.")
                     .Register(registry);
  drains_shutdown_ = &drains.Add({{"reason", "shutdown"}});
  drains_age_ = &drains.Add({{"reason", "age"}});
}

void EventsMetrics::CountFrame(const Frame& frame) {
  frames_[static_cast<size_t>(frame.kind)]->Increment();
  frame_bytes_->Increment(static_cast<double>(frame.size_bytes));
  if (frame.events > 0) deliveries_->Increment(static_cast<double>(frame.events));
}

}  // namespace aulm::gateway
