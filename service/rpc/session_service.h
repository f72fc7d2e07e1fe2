#pragma once

#include "absl/time/time.h"
#include "aulm/gateway/v1/session_service.grpc.pb.h"
#include "service/base/clock.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/session_reader.h"
#include "service/messaging/session_watch.h"
#include "service/rpc/rpc_metrics.h"

namespace aulm::gateway {

// SessionService of the contract: reads a session's state from aulm, together with whoever else reads it just then.
// Thread-safe.
class SessionService final : public v1::SessionService::CallbackService {
 public:
  // All arguments outlive the service and its calls. `default_deadline` holds for calls whose caller set none.
  SessionService(absl::Duration default_deadline, const AccountDirectory& accounts, SessionReader& reader,
                 const SessionWatch& watch, RpcMetrics& metrics, const Clock& clock);

  grpc::ServerUnaryReactor* GetSessionStatus(grpc::CallbackServerContext* context,
                                             const v1::GetSessionStatusRequest* request,
                                             v1::GetSessionStatusResponse* response) override;

 private:
  const absl::Duration default_deadline_;
  const AccountDirectory& accounts_;
  SessionReader& reader_;
  const SessionWatch& watch_;
  const Clock& clock_;
  MethodMetrics& metrics_;
};

}  // namespace aulm::gateway
