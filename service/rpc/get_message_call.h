#pragma once

#include <string>

#include "aulm/gateway/v1/messaging_service.pb.h"
#include "service/events/event_hub.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/message_history.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// One GetMessage call: asks the history which send it is and where its statuses stand, then reads those from the log on
// one of the hub's workers.
class GetMessageCall final : public UnaryCallOf<v1::GetMessageResponse> {
 public:
  // The references outlive the call; `response` is gRPC's until then.
  GetMessageCall(const CallEnvironment& environment, const AccountDirectory& accounts,
                 const v1::GetMessageRequest& request, grpc::ByteBuffer& response, grpc::CallbackServerContext& context,
                 MethodMetrics& metrics);

  // After Admit, when the request has been checked.
  void Begin(MessageHistory& history, EventHub& hub);

 private:
  void OnFound(absl::StatusOr<MessageHistory::Known> known, EventHub& hub);
  void ReadStatuses(MessageHistory::Known known, EventLog& log);
  void Describe(LogLine& line) const override;

  const AccountDirectory& accounts_;
  const v1::GetMessageRequest request_;
};

}  // namespace aulm::gateway
