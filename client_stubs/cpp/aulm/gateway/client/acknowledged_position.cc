#include "aulm/gateway/client/acknowledged_position.h"

#include <chrono>
#include <utility>

#include "aulm/gateway/client/call_error.h"

namespace aulm::gateway::client {
namespace {

constexpr std::chrono::seconds kTimeout(10);

}  // namespace

AcknowledgedPosition::AcknowledgedPosition(const std::shared_ptr<grpc::ChannelInterface>& channel,
                                           std::string subscription)
    : stub_(v1::EventService::NewStub(channel)), subscription_(std::move(subscription)) {}

absl::Status AcknowledgedPosition::Save(absl::string_view cursor) {
  v1::AcknowledgeEventsRequest request;
  request.set_subscription(subscription_);
  request.set_up_to_cursor(std::string(cursor));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + kTimeout);
  v1::AcknowledgeEventsResponse response;
  const grpc::Status status = stub_->AcknowledgeEvents(&context, request, &response);
  return status.ok() ? absl::OkStatus() : ToStatus(ToCallError(status));
}

}  // namespace aulm::gateway::client
