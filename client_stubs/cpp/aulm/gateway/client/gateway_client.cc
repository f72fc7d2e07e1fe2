#include "aulm/gateway/client/gateway_client.h"

#include <chrono>
#include <utility>

#include "absl/random/random.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "aulm/gateway/client/channel.h"
#include "aulm/gateway/client/connection.h"
#include "aulm/gateway/client/monotonic_now.h"
#include "aulm/gateway/client/send_retry.h"

namespace aulm::gateway::client {
namespace {

// A random UUID (RFC 9562, version 4).
std::string NewRequestId() {
  absl::BitGen random;
  const auto high = absl::Uniform<uint64_t>(random);
  const auto low = absl::Uniform<uint64_t>(random);
  return absl::StrFormat("%08x-%04x-4%03x-%04x-%012x", high >> 32, high >> 16 & 0xffff, high & 0xfff,
                         (low >> 48 & 0x3fff) | 0x8000, low & 0xffff'ffff'ffff);
}

void SetDeadline(grpc::ClientContext& context, absl::Duration left) {
  context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoNanoseconds(left));
}

// Why a send cannot be made at all; nullopt where it can.
template <typename Request>
std::optional<CallError> Refusal(const Request& request) {
  const std::string encoded = request.SerializeAsString();
  if (encoded.size() > kMaxMessageBytes) {
    return NotMade(grpc::StatusCode::INVALID_ARGUMENT,
                   absl::StrCat("the request has ", encoded.size(), " bytes, the gateway takes ", kMaxMessageBytes,
                                ": an image may have 5 MiB"));
  }
  if (!Request().ParseFromString(encoded)) {  // Serializing does not look at this; the gateway's reading does.
    return NotMade(grpc::StatusCode::INVALID_ARGUMENT, "a text of the request is not UTF-8");
  }
  return std::nullopt;
}

}  // namespace

GatewayClient::GatewayClient(std::shared_ptr<grpc::ChannelInterface> channel, CallTimeouts timeouts)
    : channel_(std::move(channel)),
      timeouts_(timeouts),
      messaging_(v1::MessagingService::NewStub(channel_)),
      sessions_(v1::SessionService::NewStub(channel_)),
      events_(v1::EventService::NewStub(channel_)),
      quotas_(v1::QuotaService::NewStub(channel_)),
      subscriptions_(v1::SubscriptionService::NewStub(channel_)) {}

template <typename Request, typename Response>
CallResult<Response> GatewayClient::Send(Method<v1::MessagingService::StubInterface, Request, Response> method,
                                         Request& request, const SendOptions& options) const {
  if (request.request_id().empty()) request.set_request_id(NewRequestId());
  if (std::optional<CallError> refused = Refusal(request)) {
    refused->request_id = request.request_id();
    return *std::move(refused);
  }
  Response response;
  const auto attempt = [&](absl::Duration left) {
    grpc::ClientContext context;
    SetDeadline(context, left);
    return (*messaging_.*method)(&context, request, &response);
  };
  const auto wait = [&](absl::Duration time, bool connecting) {
    if (connecting) {
      WaitConnecting(*channel_, time, nullptr);
    } else {
      absl::SleepFor(time);
    }
  };
  if (std::optional<CallError> error = TrySend(request.request_id(), options.timeout.value_or(timeouts_.send),
                                               options.retry, attempt, {.now = MonotonicNow, .wait = wait})) {
    return *std::move(error);
  }
  return response;
}

template <typename Stub, typename Request, typename Response>
CallResult<Response> GatewayClient::Read(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                                         std::optional<absl::Duration> timeout) const {
  const absl::Duration left = timeout.value_or(timeouts_.read);
  if (left <= absl::ZeroDuration()) {  // Asked to, gRPC may call all the same.
    CallError error = NotMade(grpc::StatusCode::DEADLINE_EXCEEDED, "no time was left for the call: it was not made");
    error.outcome = Outcome::kNone;  // no send
    return error;
  }
  grpc::ClientContext context;
  SetDeadline(context, left);
  Response response;
  const grpc::Status status = (stub.*method)(&context, request, &response);
  if (!status.ok()) return ToCallError(status);
  return response;
}

CallResult<v1::SendTextResponse> GatewayClient::SendText(v1::SendTextRequest request,
                                                         const SendOptions& options) const {
  return Send(&v1::MessagingService::StubInterface::SendText, request, options);
}

CallResult<v1::SendImageResponse> GatewayClient::SendImage(v1::SendImageRequest request,
                                                           const SendOptions& options) const {
  return Send(&v1::MessagingService::StubInterface::SendImage, request, options);
}

CallResult<v1::GetSessionStatusResponse> GatewayClient::GetSessionStatus(const std::string& session_id,
                                                                         std::optional<absl::Duration> timeout) const {
  v1::GetSessionStatusRequest request;
  request.set_session_id(session_id);
  return Read(*sessions_, &v1::SessionService::StubInterface::GetSessionStatus, request, timeout);
}

CallResult<v1::GetQuotaResponse> GatewayClient::GetQuota(const std::string& account,
                                                         std::optional<absl::Duration> timeout) const {
  v1::GetQuotaRequest request;
  request.set_account(account);
  return Read(*quotas_, &v1::QuotaService::StubInterface::GetQuota, request, timeout);
}

CallResult<v1::GetMessageResponse> GatewayClient::GetMessage(const v1::GetMessageRequest& request,
                                                             std::optional<absl::Duration> timeout) const {
  return Read(*messaging_, &v1::MessagingService::StubInterface::GetMessage, request, timeout);
}

CallResult<v1::ReadEventsResponse> GatewayClient::ReadEvents(const v1::ReadEventsRequest& request,
                                                             std::optional<absl::Duration> timeout) const {
  return Read(*events_, &v1::EventService::StubInterface::ReadEvents, request, timeout);
}

CallResult<v1::CreateSubscriptionResponse> GatewayClient::CreateSubscription(
    const v1::CreateSubscriptionRequest& request, std::optional<absl::Duration> timeout) const {
  return Read(*subscriptions_, &v1::SubscriptionService::StubInterface::CreateSubscription, request, timeout);
}

CallResult<v1::GetSubscriptionResponse> GatewayClient::GetSubscription(const v1::GetSubscriptionRequest& request,
                                                                       std::optional<absl::Duration> timeout) const {
  return Read(*subscriptions_, &v1::SubscriptionService::StubInterface::GetSubscription, request, timeout);
}

CallResult<v1::ListSubscriptionsResponse> GatewayClient::ListSubscriptions(
    const v1::ListSubscriptionsRequest& request, std::optional<absl::Duration> timeout) const {
  return Read(*subscriptions_, &v1::SubscriptionService::StubInterface::ListSubscriptions, request, timeout);
}

CallResult<v1::DeleteSubscriptionResponse> GatewayClient::DeleteSubscription(
    const v1::DeleteSubscriptionRequest& request, std::optional<absl::Duration> timeout) const {
  return Read(*subscriptions_, &v1::SubscriptionService::StubInterface::DeleteSubscription, request, timeout);
}

CallResult<v1::SeekSubscriptionResponse> GatewayClient::SeekSubscription(const v1::SeekSubscriptionRequest& request,
                                                                         std::optional<absl::Duration> timeout) const {
  return Read(*subscriptions_, &v1::SubscriptionService::StubInterface::SeekSubscription, request, timeout);
}

CallResult<v1::ListParkedEventsResponse> GatewayClient::ListParkedEvents(const v1::ListParkedEventsRequest& request,
                                                                         std::optional<absl::Duration> timeout) const {
  return Read(*subscriptions_, &v1::SubscriptionService::StubInterface::ListParkedEvents, request, timeout);
}

CallResult<v1::ReplayParkedEventsResponse> GatewayClient::ReplayParkedEvents(
    const v1::ReplayParkedEventsRequest& request, std::optional<absl::Duration> timeout) const {
  return Read(*subscriptions_, &v1::SubscriptionService::StubInterface::ReplayParkedEvents, request, timeout);
}

CallResult<v1::AcknowledgeEventsResponse> GatewayClient::AcknowledgeEvents(
    const v1::AcknowledgeEventsRequest& request, std::optional<absl::Duration> timeout) const {
  return Read(*events_, &v1::EventService::StubInterface::AcknowledgeEvents, request, timeout);
}

}  // namespace aulm::gateway::client
