#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "service/base/random.h"
#include "service/base/status_details.h"
#include "service/events/event_hub.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/message_history.h"
#include "service/messaging/sender.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/send_call.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// MessagingService of the contract: checks a request's fields, hands it to the sender (or asks what became of an
// earlier send), and turns the answer back. Holds no state of its own; thread-safe.
class MessagingService final
    : public v1::MessagingService::WithRawCallbackMethod_SendText<v1::MessagingService::WithRawCallbackMethod_SendImage<
          v1::MessagingService::WithRawCallbackMethod_GetMessage<v1::MessagingService::Service>>> {
 public:
  // All arguments outlive the service and its calls. `max_image_bytes` are raw, before base64. GetMessage reads the log
  // on the hub's workers.
  MessagingService(const CallEnvironment& environment, size_t max_image_bytes, const AccountDirectory& accounts,
                   Sender& sender, MessageHistory& history, EventHub& hub, RpcMetrics& metrics, Random& random);

  grpc::ServerUnaryReactor* SendText(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                     grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* SendImage(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                      grpc::ByteBuffer* response) override;
  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                       grpc::ByteBuffer* response) override;

 private:
  // The call that answers by `response`; without a request id of the caller's, it gets a new one.
  template <typename Response>
  SendCall* NewCall(const std::string& request_id, grpc::ByteBuffer& response, grpc::CallbackServerContext& context,
                    MethodMetrics& metrics) const;

  // The checks of an admitted send that both methods share: its fields, then whether the caller may use the session.
  absl::Status CheckSend(SendCall& call, const std::string& session_id, const FieldViolations& bad) const;

  const CallEnvironment environment_;
  const size_t max_image_bytes_;
  const AccountDirectory& accounts_;
  Sender& sender_;
  MessageHistory& history_;
  EventHub& hub_;
  Random& random_;
  MethodMetrics& send_text_metrics_;
  MethodMetrics& send_image_metrics_;
  MethodMetrics& get_message_metrics_;
};

}  // namespace aulm::gateway
