#pragma once

#include "aulm/gateway/v1/quota_service.grpc.pb.h"
#include "service/messaging/account_directory.h"
#include "service/messaging/quotas.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// QuotaService of the contract: tells the quota that aulm last told. Thread-safe.
class QuotaService final : public v1::QuotaService::WithRawCallbackMethod_GetQuota<v1::QuotaService::Service> {
 public:
  // All arguments outlive the service and its calls.
  QuotaService(const CallEnvironment& environment, const AccountDirectory& accounts, Quotas& quotas,
               RpcMetrics& metrics);

  grpc::ServerUnaryReactor* GetQuota(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                     grpc::ByteBuffer* response) override;

 private:
  const CallEnvironment environment_;
  const AccountDirectory& accounts_;
  Quotas& quotas_;
  MethodMetrics& metrics_;
};

}  // namespace aulm::gateway
