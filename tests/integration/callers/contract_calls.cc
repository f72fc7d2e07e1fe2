#include "tests/integration/callers/contract_calls.h"

#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "aulm/gateway/v1/quota_service.grpc.pb.h"
#include "aulm/gateway/v1/session_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "tests/support/raw_call.h"

namespace aulm::gateway {
namespace {

template <typename Service, typename Request, typename Response>
ContractCall Unary(grpc::Status (Service::Stub::*method)(grpc::ClientContext*, const Request&, Response*),
                   void (*fill)(Request&, const std::string& target)) {
  return [method, fill](const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
                        const std::string& target) {
    const auto stub = Service::NewStub(channel);
    Request request;
    fill(request, target);
    Response response;
    return (stub.get()->*method)(&context, request, &response);
  };
}

grpc::Status Subscribe(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
                       const std::string& target) {
  v1::SubscribeEventsRequest request;
  if (!target.empty()) request.mutable_filter()->add_session_ids(target);
  const auto stub = v1::EventService::NewStub(channel);
  const auto stream = stub->SubscribeEvents(&context, request);
  v1::SubscribeEventsResponse frame;
  if (!stream->Read(&frame)) return stream->Finish();
  context.TryCancel();
  stream->Finish();
  return grpc::Status::OK;
}

// grpc.health.v1.Health/Check with an empty request.
grpc::Status CheckHealth(const std::shared_ptr<grpc::Channel>& channel, grpc::ClientContext& context,
                         const std::string&) {
  return CallWithBytes(channel, "/grpc.health.v1.Health/Check", "", context);
}

std::map<std::string, ContractCall> Make() {
  using S = const std::string&;
  std::map<std::string, ContractCall> calls;
  calls["SendText"] = Unary<v1::MessagingService>(
      &v1::MessagingService::Stub::SendText, +[](v1::SendTextRequest& request, S target) {
        request.set_session_id(target);
        request.set_to("+966512345678");
        request.set_body("hi");
      });
  calls["SendImage"] = Unary<v1::MessagingService>(
      &v1::MessagingService::Stub::SendImage, +[](v1::SendImageRequest& request, S target) {
        request.set_session_id(target);
        request.set_to("+966512345678");
        request.set_image_url("https://example.com/a.png");
      });
  calls["GetMessage"] = Unary<v1::MessagingService>(
      &v1::MessagingService::Stub::GetMessage, +[](v1::GetMessageRequest& request, S target) {
        if (target.empty()) {
          request.set_request_id("nobody-s");
        } else {
          request.mutable_message()->set_session_id(target);
          request.mutable_message()->set_message_id("nobody-s");
        }
      });
  calls["GetSessionStatus"] = Unary<v1::SessionService>(
      &v1::SessionService::Stub::GetSessionStatus,
      +[](v1::GetSessionStatusRequest& request, S target) { request.set_session_id(target); });
  calls["GetQuota"] = Unary<v1::QuotaService>(
      &v1::QuotaService::Stub::GetQuota, +[](v1::GetQuotaRequest& request, S target) { request.set_account(target); });
  calls["ReadEvents"] = Unary<v1::EventService>(
      &v1::EventService::Stub::ReadEvents, +[](v1::ReadEventsRequest& request, S target) {
        if (!target.empty()) request.mutable_filter()->add_session_ids(target);
      });
  calls["SubscribeEvents"] = Subscribe;
  calls["AcknowledgeEvents"] = Unary<v1::EventService>(
      &v1::EventService::Stub::AcknowledgeEvents, +[](v1::AcknowledgeEventsRequest& request, S) {
        request.set_subscription("none");
        request.set_up_to_cursor("x");
      });
  calls["CreateSubscription"] = Unary<v1::SubscriptionService>(
      &v1::SubscriptionService::Stub::CreateSubscription, +[](v1::CreateSubscriptionRequest& request, S target) {
        request.mutable_subscription()->set_name("made");
        request.mutable_subscription()->set_mode(v1::SUBSCRIPTION_MODE_CURSOR);
        if (!target.empty()) request.mutable_subscription()->mutable_filter()->add_session_ids(target);
      });
  calls["GetSubscription"] = Unary<v1::SubscriptionService>(
      &v1::SubscriptionService::Stub::GetSubscription,
      +[](v1::GetSubscriptionRequest& request, S) { request.set_name("none"); });
  calls["ListSubscriptions"] = Unary<v1::SubscriptionService>(
      &v1::SubscriptionService::Stub::ListSubscriptions, +[](v1::ListSubscriptionsRequest&, S) {});
  calls["DeleteSubscription"] = Unary<v1::SubscriptionService>(
      &v1::SubscriptionService::Stub::DeleteSubscription,
      +[](v1::DeleteSubscriptionRequest& request, S) { request.set_name("none"); });
  calls["SeekSubscription"] = Unary<v1::SubscriptionService>(
      &v1::SubscriptionService::Stub::SeekSubscription, +[](v1::SeekSubscriptionRequest& request, S) {
        request.set_name("none");
        request.set_position(v1::START_POSITION_EARLIEST);
      });
  calls["ListParkedEvents"] = Unary<v1::SubscriptionService>(
      &v1::SubscriptionService::Stub::ListParkedEvents,
      +[](v1::ListParkedEventsRequest& request, S) { request.set_subscription("none"); });
  calls["ReplayParkedEvents"] = Unary<v1::SubscriptionService>(
      &v1::SubscriptionService::Stub::ReplayParkedEvents, +[](v1::ReplayParkedEventsRequest& request, S) {
        request.set_subscription("none");
        request.set_all(true);
      });
  calls["Health"] = CheckHealth;
  return calls;
}

}  // namespace

const std::map<std::string, ContractCall>& ContractCalls() {
  static const auto* const kCalls = new std::map<std::string, ContractCall>(Make());
  return *kCalls;
}

}  // namespace aulm::gateway
