#pragma once

#include "absl/time/time.h"
#include "aulm/gateway/v1/quota_service.grpc.pb.h"
#include "service/base/clock.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/quotas.h"
#include "service/rpc/rpc_metrics.h"

namespace aulm::gateway {

// QuotaService of the contract: tells the quota that aulm last told. Thread-safe.
class QuotaService final : public v1::QuotaService::CallbackService {
 public:
  // All arguments outlive the service and its calls. `default_deadline` holds for calls whose caller set none.
  QuotaService(absl::Duration default_deadline, const AccountDirectory& accounts, Quotas& quotas, RpcMetrics& metrics,
               const Clock& clock);

  grpc::ServerUnaryReactor* GetQuota(grpc::CallbackServerContext* context, const v1::GetQuotaRequest* request,
                                     v1::GetQuotaResponse* response) override;

 private:
  const absl::Duration default_deadline_;
  const AccountDirectory& accounts_;
  Quotas& quotas_;
  const Clock& clock_;
  MethodMetrics& metrics_;
};

}  // namespace aulm::gateway
