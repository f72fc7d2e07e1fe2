#include "service/rpc/event_service.h"

#include <memory>
#include <utility>

#include "absl/synchronization/mutex.h"
#include "service/base/status_details.h"
#include "service/events/event_reader.h"
#include "service/events/stream_spec.h"
#include "service/events/subscriptions/owned_name.h"
#include "service/rpc/deferred_call.h"
#include "service/rpc/raw_request.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {
namespace {

constexpr char kService[] = "aulm.gateway.v1.EventService";

// One ReadEvents call: the page is read on a worker, which may take longer than the caller waits.
class ReadEventsCall final : public UnaryCallOf<v1::ReadEventsResponse> {
 public:
  ReadEventsCall(const CallEnvironment& environment, grpc::ByteBuffer& response, grpc::CallbackServerContext& context,
                 MethodMetrics& metrics)
      : UnaryCallOf(response, environment, context, metrics), clock_(environment.clock) {}

  void Begin(ReadSpec spec, EventHub& hub) {
    const std::shared_ptr<Ending> ending = ending_;
    ending->Offer(this);
    const Clock::TimerId timer = clock_.CallAfter(answer_by() - clock_.Now(), [ending] {
      if (ReadEventsCall* const call = ending->Take(); call != nullptr) {
        call->End(GatewayError(GatewayReason::kCallDeadline, "the page was not read before the call's deadline"));
      }
    });
    hub.Post([ending, spec = std::move(spec), timer, &hub, &clock = clock_] {
      if (ending->taken()) return;
      absl::StatusOr<v1::ReadEventsResponse> page = ReadEventPage(hub.log(), spec);
      clock.Cancel(timer);
      ReadEventsCall* const call = ending->Take();
      if (call == nullptr) return;
      if (page.ok()) {
        call->events_ = page->events_size();
        call->response().Swap(&*page);
      }
      call->End(page.status());
    });
  }

 private:
  // Who may end the call: the worker, the deadline or the caller, whoever takes it first. Outlives the call.
  class Ending {
   public:
    void Offer(ReadEventsCall* call) ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      call_ = call;
    }
    // Once the call, then nullptr.
    ReadEventsCall* Take() ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      return std::exchange(call_, nullptr);
    }
    bool taken() const ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      return call_ == nullptr;
    }

   private:
    mutable absl::Mutex mutex_;
    ReadEventsCall* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  };

  void OnCancel() override {
    if (ending_->Take() != nullptr) End(GatewayError(GatewayReason::kCallCancelled, "the client went away"));
  }

  void Describe(LogLine& line) const override { line.Field("events", events_); }

  Clock& clock_;
  int events_ = 0;
  const std::shared_ptr<Ending> ending_ = std::make_shared<Ending>();
};

EventStreamsOptions StreamsOptions(const EventServiceOptions& options) {
  EventStreamsOptions streams;
  streams.max_streams = options.max_streams;
  streams.stream.max_age = options.stream_max_age;
  streams.stream.reconnect_after = options.reconnect_after;
  return streams;
}

}  // namespace

EventService::EventService(const CallEnvironment& calls, const EventServiceOptions& options, EventHub& hub,
                           EventsMetrics& events_metrics, RpcMetrics& rpc_metrics, Random& random,
                           Subscriptions* subscriptions)
    : calls_(calls),
      hub_(hub),
      read_metrics_(rpc_metrics.AddMethod(RpcMetrics::MethodType::kUnary, kService, "ReadEvents")),
      acknowledge_metrics_(rpc_metrics.AddMethod(RpcMetrics::MethodType::kUnary, kService, "AcknowledgeEvents")),
      subscriptions_(subscriptions),
      streams_(hub, calls.clock, random, events_metrics, StreamsOptions(options)),
      environment_{calls_,
                   streams_,
                   subscriptions,
                   events_metrics,
                   rpc_metrics.AddMethod(RpcMetrics::MethodType::kServerStream, kService, "SubscribeEvents"),
                   options.stream_stall} {}

grpc::ServerWriteReactor<grpc::ByteBuffer>* EventService::SubscribeEvents(grpc::CallbackServerContext* context,
                                                                          const grpc::ByteBuffer* request) {
  return SubscribeReactor::Begin(environment_, *context, *request);
}

grpc::ServerUnaryReactor* EventService::ReadEvents(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                                   grpc::ByteBuffer* response) {
  const RawRequest<v1::ReadEventsRequest> request(*bytes);
  auto* const call = new ReadEventsCall(calls_, *response, *context, read_metrics_);
  if (!call->Admit(request.status())) return call;
  absl::StatusOr<ReadSpec> spec = CheckRequest(*request, calls_.clock.Now());
  if (!spec.ok()) {
    call->Refuse(spec.status());
  } else if (absl::Status status = call->caller().MaySeeEvents(request->filter()); !status.ok()) {
    call->Refuse(std::move(status));
  } else {
    spec->selection.visibility = call->caller().visibility();
    call->Begin(*std::move(spec), hub_);
  }
  return call;
}

grpc::ServerUnaryReactor* EventService::AcknowledgeEvents(grpc::CallbackServerContext* context,
                                                          const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response) {
  const RawRequest<v1::AcknowledgeEventsRequest> request(*bytes);
  auto* const call = new DeferredCall<v1::AcknowledgeEventsResponse>(calls_, *response, request->subscription(),
                                                                     *context, acknowledge_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::Status status = CheckRequest(*request); !status.ok()) {
    call->Refuse(status);
  } else if (subscriptions_ == nullptr) {
    call->Refuse(GatewayError(GatewayReason::kSubscriptionNotFound, "there are no durable subscriptions here"));
  } else {
    v1::AcknowledgeEventsRequest owned = *request;
    owned.set_subscription(OwnedName(call->caller().name(), request->subscription()));
    subscriptions_->Acknowledge(std::move(owned), call->Expect());
  }
  return call;
}

void EventService::Drain() {
  // Those of durable subscriptions that read the log are told by theirs.
  if (subscriptions_ != nullptr) subscriptions_->Drain();
  streams_.Drain();
}

}  // namespace aulm::gateway
