#pragma once

#include <cstddef>

#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "service/base/random.h"
#include "service/events/event_hub.h"
#include "service/events/event_streams.h"
#include "service/events/events_metrics.h"
#include "service/events/subscriptions/subscriptions.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/subscribe_reactor.h"

namespace aulm::gateway {

struct EventServiceOptions {
  size_t max_streams = 10'000;
  absl::Duration stream_max_age = absl::Hours(1);     // a stream is drained at 80 to 100 % of this age
  absl::Duration stream_stall = absl::Seconds(60);    // a stream whose client takes nothing for so long is cancelled
  absl::Duration reconnect_after = absl::Seconds(1);  // what Drain asks of clients at shutdown, give or take a half
};

// EventService of the contract: SubscribeEvents, whose frames are bytes that the hub's ring shares among all streams,
// ReadEvents, and AcknowledgeEvents for durable subscriptions. Thread-safe; callbacks only.
class EventService final : public v1::EventService::WithRawCallbackMethod_SubscribeEvents<
                               v1::EventService::WithRawCallbackMethod_AcknowledgeEvents<
                                   v1::EventService::WithRawCallbackMethod_ReadEvents<v1::EventService::Service>>> {
 public:
  // All arguments outlive the service and its calls. The hub is started before the first call, and stopped after the
  // gRPC server was shut down. Without `subscriptions`, durable ones are refused.
  EventService(const CallEnvironment& calls, const EventServiceOptions& options, EventHub& hub,
               EventsMetrics& events_metrics, RpcMetrics& rpc_metrics, Random& random,
               Subscriptions* subscriptions = nullptr);

  grpc::ServerWriteReactor<grpc::ByteBuffer>* SubscribeEvents(grpc::CallbackServerContext* context,
                                                              const grpc::ByteBuffer* request) override;
  grpc::ServerUnaryReactor* ReadEvents(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                       grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* AcknowledgeEvents(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                              grpc::ByteBuffer* response) override;

  // The streams that are open, to look at.
  const EventStreams& streams() const { return streams_; }

  // Ends every stream with a Drain frame and takes no new ones. Does not wait: shutting the server down does.
  void Drain();

 private:
  const CallEnvironment calls_;
  EventHub& hub_;
  MethodMetrics& read_metrics_;
  MethodMetrics& acknowledge_metrics_;
  Subscriptions* const subscriptions_;
  EventStreams streams_;
  const SubscribeReactor::Environment environment_;
};

}  // namespace aulm::gateway
