#pragma once

#include "aulm/gateway/v1/session_service.grpc.pb.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/session_reader.h"
#include "service/messaging/session_watch.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// SessionService of the contract: reads a session's state from aulm, together with whoever else reads it just then.
// Thread-safe.
class SessionService final
    : public v1::SessionService::WithRawCallbackMethod_GetSessionStatus<v1::SessionService::Service> {
 public:
  // All arguments outlive the service and its calls.
  SessionService(const CallEnvironment& environment, const AccountDirectory& accounts, SessionReader& reader,
                 const SessionWatch& watch, RpcMetrics& metrics);

  grpc::ServerUnaryReactor* GetSessionStatus(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                             grpc::ByteBuffer* response) override;

 private:
  const CallEnvironment environment_;
  const AccountDirectory& accounts_;
  SessionReader& reader_;
  const SessionWatch& watch_;
  MethodMetrics& metrics_;
};

}  // namespace aulm::gateway
