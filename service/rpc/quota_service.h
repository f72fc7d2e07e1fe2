#pragma once

#include "aulm/gateway/v1/quota_service.grpc.pb.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/quotas.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// QuotaService of the contract: tells the quota that aulm last told. Thread-safe.
class QuotaService final : public v1::QuotaService::CallbackService {
 public:
  // All arguments outlive the service and its calls.
  QuotaService(const CallEnvironment& environment, const AccountDirectory& accounts, Quotas& quotas,
               RpcMetrics& metrics);

  grpc::ServerUnaryReactor* GetQuota(grpc::CallbackServerContext* context, const v1::GetQuotaRequest* request,
                                     v1::GetQuotaResponse* response) override;

 private:
  const CallEnvironment environment_;
  const AccountDirectory& accounts_;
  Quotas& quotas_;
  MethodMetrics& metrics_;
};

}  // namespace aulm::gateway
