#include "service/rpc/subscription_service.h"

#include <utility>

#include "service/events/subscriptions/owned_name.h"
#include "service/events/subscriptions/subscription_requests.h"
#include "service/rpc/deferred_call.h"
#include "service/rpc/raw_request.h"

namespace aulm::gateway {
namespace {

constexpr char kService[] = "aulm.gateway.v1.SubscriptionService";

MethodMetrics& Metrics(RpcMetrics& metrics, const char* method) {
  return metrics.AddMethod(RpcMetrics::MethodType::kUnary, kService, method);
}

// The name as its owner knows it, in an answer.
void Disown(v1::Subscription& subscription) { subscription.set_name(std::string(NameOf(subscription.name()))); }

// Turns a callback for a response into one for the subscription in it.
template <typename Response>
Subscriptions::Callback<v1::Subscription> Within(Subscriptions::Callback<Response> done) {
  return [done = std::move(done)](absl::StatusOr<v1::Subscription> subscription) mutable {
    if (!subscription.ok()) {
      std::move(done)(subscription.status());
      return;
    }
    Disown(*subscription);
    Response response;
    *response.mutable_subscription() = *std::move(subscription);
    std::move(done)(std::move(response));
  };
}

}  // namespace

SubscriptionService::SubscriptionService(const CallEnvironment& environment, Subscriptions& subscriptions,
                                         RpcMetrics& metrics)
    : environment_(environment),
      subscriptions_(subscriptions),
      create_metrics_(Metrics(metrics, "CreateSubscription")),
      get_metrics_(Metrics(metrics, "GetSubscription")),
      list_metrics_(Metrics(metrics, "ListSubscriptions")),
      delete_metrics_(Metrics(metrics, "DeleteSubscription")),
      seek_metrics_(Metrics(metrics, "SeekSubscription")),
      list_parked_metrics_(Metrics(metrics, "ListParkedEvents")),
      replay_parked_metrics_(Metrics(metrics, "ReplayParkedEvents")) {}

grpc::ServerUnaryReactor* SubscriptionService::CreateSubscription(grpc::CallbackServerContext* context,
                                                                  const grpc::ByteBuffer* bytes,
                                                                  grpc::ByteBuffer* response) {
  const RawRequest<v1::CreateSubscriptionRequest> request(*bytes);
  auto* const call = new DeferredCall<v1::CreateSubscriptionResponse>(
      environment_, *response, request->subscription().name(), *context, create_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::StatusOr<NewSubscription> checked = CheckRequest(*request, environment_.clock.Now()); !checked.ok()) {
    call->Refuse(checked.status());
  } else if (absl::Status status = call->caller().MaySeeEvents(request->subscription().filter()); !status.ok()) {
    call->Refuse(std::move(status));
  } else {
    checked->caller = call->caller().name();
    checked->most_of_caller = call->caller().max_subscriptions();
    checked->specification.set_name(OwnedName(call->caller().name(), request->subscription().name()));
    subscriptions_.Create(*std::move(checked), Within<v1::CreateSubscriptionResponse>(call->Expect()));
  }
  return call;
}

grpc::ServerUnaryReactor* SubscriptionService::GetSubscription(grpc::CallbackServerContext* context,
                                                               const grpc::ByteBuffer* bytes,
                                                               grpc::ByteBuffer* response) {
  const RawRequest<v1::GetSubscriptionRequest> request(*bytes);
  auto* const call =
      new DeferredCall<v1::GetSubscriptionResponse>(environment_, *response, request->name(), *context, get_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::Status status = CheckSubscriptionName(request->name(), "name"); !status.ok()) {
    call->Refuse(status);
  } else {
    subscriptions_.Get(OwnedName(call->caller().name(), request->name()),
                       Within<v1::GetSubscriptionResponse>(call->Expect()));
  }
  return call;
}

grpc::ServerUnaryReactor* SubscriptionService::ListSubscriptions(grpc::CallbackServerContext* context,
                                                                 const grpc::ByteBuffer* bytes,
                                                                 grpc::ByteBuffer* response) {
  const RawRequest<v1::ListSubscriptionsRequest> request(*bytes);
  auto* const call =
      new DeferredCall<v1::ListSubscriptionsResponse>(environment_, *response, "", *context, list_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::Status status = CheckRequest(*request); !status.ok()) {
    call->Refuse(status);
  } else {
    subscriptions_.ListOwn(call->caller().name(), *request,
                           [done = call->Expect()](absl::StatusOr<v1::ListSubscriptionsResponse> answer) mutable {
                             if (answer.ok()) {
                               for (v1::Subscription& subscription : *answer->mutable_subscriptions())
                                 Disown(subscription);
                             }
                             std::move(done)(std::move(answer));
                           });
  }
  return call;
}

grpc::ServerUnaryReactor* SubscriptionService::DeleteSubscription(grpc::CallbackServerContext* context,
                                                                  const grpc::ByteBuffer* bytes,
                                                                  grpc::ByteBuffer* response) {
  const RawRequest<v1::DeleteSubscriptionRequest> request(*bytes);
  auto* const call = new DeferredCall<v1::DeleteSubscriptionResponse>(environment_, *response, request->name(),
                                                                      *context, delete_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::Status status = CheckSubscriptionName(request->name(), "name"); !status.ok()) {
    call->Refuse(status);
  } else {
    subscriptions_.Delete(OwnedName(call->caller().name(), request->name()), call->Expect());
  }
  return call;
}

grpc::ServerUnaryReactor* SubscriptionService::SeekSubscription(grpc::CallbackServerContext* context,
                                                                const grpc::ByteBuffer* bytes,
                                                                grpc::ByteBuffer* response) {
  const RawRequest<v1::SeekSubscriptionRequest> request(*bytes);
  auto* const call =
      new DeferredCall<v1::SeekSubscriptionResponse>(environment_, *response, request->name(), *context, seek_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::StatusOr<LogStart> target = CheckRequest(*request, environment_.clock.Now()); !target.ok()) {
    call->Refuse(target.status());
  } else {
    subscriptions_.Seek(OwnedName(call->caller().name(), request->name()), *std::move(target),
                        Within<v1::SeekSubscriptionResponse>(call->Expect()));
  }
  return call;
}

grpc::ServerUnaryReactor* SubscriptionService::ListParkedEvents(grpc::CallbackServerContext* context,
                                                                const grpc::ByteBuffer* bytes,
                                                                grpc::ByteBuffer* response) {
  const RawRequest<v1::ListParkedEventsRequest> request(*bytes);
  auto* const call = new DeferredCall<v1::ListParkedEventsResponse>(environment_, *response, request->subscription(),
                                                                    *context, list_parked_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::Status status = CheckRequest(*request); !status.ok()) {
    call->Refuse(status);
  } else {
    v1::ListParkedEventsRequest owned = *request;
    owned.set_subscription(OwnedName(call->caller().name(), request->subscription()));
    subscriptions_.ListParked(std::move(owned), call->Expect());
  }
  return call;
}

grpc::ServerUnaryReactor* SubscriptionService::ReplayParkedEvents(grpc::CallbackServerContext* context,
                                                                  const grpc::ByteBuffer* bytes,
                                                                  grpc::ByteBuffer* response) {
  const RawRequest<v1::ReplayParkedEventsRequest> request(*bytes);
  auto* const call = new DeferredCall<v1::ReplayParkedEventsResponse>(environment_, *response, request->subscription(),
                                                                      *context, replay_parked_metrics_);
  if (!call->Admit(request.status())) return call;
  if (absl::Status status = CheckRequest(*request); !status.ok()) {
    call->Refuse(status);
  } else {
    v1::ReplayParkedEventsRequest owned = *request;
    owned.set_subscription(OwnedName(call->caller().name(), request->subscription()));
    subscriptions_.ReplayParked(std::move(owned), call->Expect());
  }
  return call;
}

}  // namespace aulm::gateway
