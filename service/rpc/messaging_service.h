#pragma once

#include <cstddef>

#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/events/event_hub.h"
#include "service/messaging/message_history.h"
#include "service/messaging/sender.h"
#include "service/rpc/rpc_metrics.h"

namespace aulm::gateway {

// MessagingService of the contract: checks a request's fields, hands it to the sender (or asks what became of an
// earlier send), and turns the answer back. Holds no state of its own; thread-safe.
class MessagingService final : public v1::MessagingService::CallbackService {
 public:
  struct Options {
    size_t max_image_bytes;           // raw, before base64
    absl::Duration default_deadline;  // of calls whose caller set none
  };

  // All arguments outlive the service and its calls. GetMessage reads the log on the hub's workers.
  MessagingService(Options options, Sender& sender, MessageHistory& history, EventHub& hub, RpcMetrics& metrics,
                   const Clock& clock, Random& random);

  grpc::ServerUnaryReactor* SendText(grpc::CallbackServerContext* context, const v1::SendTextRequest* request,
                                     v1::SendTextResponse* response) override;
  grpc::ServerUnaryReactor* SendImage(grpc::CallbackServerContext* context, const v1::SendImageRequest* request,
                                      v1::SendImageResponse* response) override;
  grpc::ServerUnaryReactor* GetMessage(grpc::CallbackServerContext* context, const v1::GetMessageRequest* request,
                                       v1::GetMessageResponse* response) override;

 private:
  const Options options_;
  Sender& sender_;
  MessageHistory& history_;
  EventHub& hub_;
  const Clock& clock_;
  Random& random_;
  MethodMetrics& send_text_metrics_;
  MethodMetrics& send_image_metrics_;
  MethodMetrics& get_message_metrics_;
};

}  // namespace aulm::gateway
