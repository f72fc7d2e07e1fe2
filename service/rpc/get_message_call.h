#pragma once

#include <string>

#include "aulm/gateway/v1/messaging_service.pb.h"
#include "service/events/event_hub.h"
#include "service/messaging/message_history.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// One GetMessage call: asks the history which send it is and where its statuses stand, then reads those from the log on
// one of the hub's workers.
class GetMessageCall final : public UnaryCall {
 public:
  // `request` has been checked. The references outlive the call; `response` is gRPC's until then.
  GetMessageCall(const v1::GetMessageRequest& request, v1::GetMessageResponse& response,
                 grpc::CallbackServerContext& context, MethodMetrics& metrics, const Clock& clock,
                 absl::Duration default_deadline);

  void Refuse(const absl::Status& status) { End(status); }

  void Begin(MessageHistory& history, EventHub& hub);

 private:
  void OnFound(absl::StatusOr<MessageHistory::Known> known, EventHub& hub);
  void ReadStatuses(MessageHistory::Known known, EventLog& log);
  void Describe(LogLine& line) const override;

  const v1::GetMessageRequest request_;
  v1::GetMessageResponse& response_;
};

}  // namespace aulm::gateway
