#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "aulm/gateway/client/call_result.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "aulm/gateway/v1/quota_service.grpc.pb.h"
#include "aulm/gateway/v1/session_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "grpcpp/channel.h"

namespace aulm::gateway::client {

// How long calls may take that say nothing themselves. A call without time is not made: DEADLINE_EXCEEDED.
struct CallTimeouts {
  absl::Duration send = absl::Seconds(30);
  absl::Duration read = absl::Seconds(10);
};

// How one send is made.
struct SendOptions {
  // For all tries together; absent: the client's.
  std::optional<absl::Duration> timeout;
  // False: one try alone, for callers that repeat by themselves, such as a queue.
  bool retry = true;
};

// The gateway's unary calls, with deadlines, typed errors, and sends that are tried again where that is safe.
// Thread-safe; one serves a whole process. Every call blocks. Events are followed by EventFollower, EventSubscriber and
// SharedConsumer on the same channel; for calls that have no method here, make stubs on it and decode their status with
// ToCallError.
class GatewayClient {
 public:
  // `channel` is OpenChannel's. Does not connect: the first call does.
  explicit GatewayClient(std::shared_ptr<grpc::ChannelInterface> channel, CallTimeouts timeouts = {});

  const std::shared_ptr<grpc::ChannelInterface>& channel() const { return channel_; }

  // Sends a text from a WhatsApp session to a phone number.
  //
  // Give every message a request_id of your own, stored with it: repeating a call with the same id never sends twice.
  // One is made where it is empty, and told in the answer and in the error. What was not sent because something was
  // unavailable is tried again until the timeout; what has an unknown outcome is not.
  CallResult<v1::SendTextResponse> SendText(v1::SendTextRequest request, const SendOptions& options = {}) const;

  // Sends an image, by its bytes (at most 5 MiB) or by a public https URL. The rest is as in SendText.
  CallResult<v1::SendImageResponse> SendImage(v1::SendImageRequest request, const SendOptions& options = {}) const;

  // What became of a send, by its request id, or by its session and message id.
  CallResult<v1::GetMessageResponse> GetMessage(const v1::GetMessageRequest& request,
                                                std::optional<absl::Duration> timeout = {}) const;

  // Asks aulm for a session's state.
  CallResult<v1::GetSessionStatusResponse> GetSessionStatus(const std::string& session_id,
                                                            std::optional<absl::Duration> timeout = {}) const;

  // The quota that aulm told last with an answer to a send; of the account "default" where `account` is empty.
  CallResult<v1::GetQuotaResponse> GetQuota(const std::string& account,
                                            std::optional<absl::Duration> timeout = {}) const;

  // One bounded page of the log.
  CallResult<v1::ReadEventsResponse> ReadEvents(const v1::ReadEventsRequest& request,
                                                std::optional<absl::Duration> timeout = {}) const;

  // The durable subscriptions' calls, within `timeout` (absent: the client's for reads).
  CallResult<v1::CreateSubscriptionResponse> CreateSubscription(const v1::CreateSubscriptionRequest& request,
                                                                std::optional<absl::Duration> timeout = {}) const;
  CallResult<v1::GetSubscriptionResponse> GetSubscription(const v1::GetSubscriptionRequest& request,
                                                          std::optional<absl::Duration> timeout = {}) const;
  CallResult<v1::ListSubscriptionsResponse> ListSubscriptions(const v1::ListSubscriptionsRequest& request,
                                                              std::optional<absl::Duration> timeout = {}) const;
  CallResult<v1::DeleteSubscriptionResponse> DeleteSubscription(const v1::DeleteSubscriptionRequest& request,
                                                                std::optional<absl::Duration> timeout = {}) const;
  CallResult<v1::SeekSubscriptionResponse> SeekSubscription(const v1::SeekSubscriptionRequest& request,
                                                            std::optional<absl::Duration> timeout = {}) const;
  CallResult<v1::ListParkedEventsResponse> ListParkedEvents(const v1::ListParkedEventsRequest& request,
                                                            std::optional<absl::Duration> timeout = {}) const;
  CallResult<v1::ReplayParkedEventsResponse> ReplayParkedEvents(const v1::ReplayParkedEventsRequest& request,
                                                                std::optional<absl::Duration> timeout = {}) const;
  CallResult<v1::AcknowledgeEventsResponse> AcknowledgeEvents(const v1::AcknowledgeEventsRequest& request,
                                                              std::optional<absl::Duration> timeout = {}) const;

 private:
  template <typename Stub, typename Request, typename Response>
  using Method = grpc::Status (Stub::*)(grpc::ClientContext*, const Request&, Response*);

  template <typename Request, typename Response>
  CallResult<Response> Send(Method<v1::MessagingService::StubInterface, Request, Response> method, Request& request,
                            const SendOptions& options) const;
  template <typename Stub, typename Request, typename Response>
  CallResult<Response> Read(Stub& stub, Method<Stub, Request, Response> method, const Request& request,
                            std::optional<absl::Duration> timeout) const;

  std::shared_ptr<grpc::ChannelInterface> channel_;
  CallTimeouts timeouts_;
  std::unique_ptr<v1::MessagingService::StubInterface> messaging_;
  std::unique_ptr<v1::SessionService::StubInterface> sessions_;
  std::unique_ptr<v1::EventService::StubInterface> events_;
  std::unique_ptr<v1::QuotaService::StubInterface> quotas_;
  std::unique_ptr<v1::SubscriptionService::StubInterface> subscriptions_;
};

}  // namespace aulm::gateway::client
