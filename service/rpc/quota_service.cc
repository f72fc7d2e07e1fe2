#include "service/rpc/quota_service.h"

#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/status_details.h"
#include "service/rpc/raw_request.h"

namespace aulm::gateway {
namespace {

using google::protobuf::util::TimeUtil;

constexpr size_t kMaxAccountBytes = 63;

// One GetQuota call.
class QuotaCall final : public UnaryCallOf<v1::GetQuotaResponse> {
 public:
  QuotaCall(const CallEnvironment& environment, std::string account, grpc::ByteBuffer& response,
            grpc::CallbackServerContext& context, MethodMetrics& metrics)
      : UnaryCallOf(response, environment, context, metrics), account_(std::move(account)) {}

  void Begin(Quotas& quotas) {
    quotas.Get(account_, [this](const absl::StatusOr<std::optional<Quotas::Seen>>& seen) { Complete(seen); });
  }

 private:
  void Complete(const absl::StatusOr<std::optional<Quotas::Seen>>& seen) {
    if (!seen.ok() || !seen->has_value()) return End(seen.status());
    const RateLimit& limit = (*seen)->limit;
    v1::RateLimit& told = *response().mutable_rate_limit();
    told.set_limit(limit.limit);
    told.set_remaining(limit.remaining);
    if (limit.reset.has_value()) told.mutable_reset_time()->set_seconds(absl::ToUnixSeconds(*limit.reset));
    *response().mutable_observed_time() = TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis((*seen)->observed));
    End(absl::OkStatus());
  }

  void Describe(LogLine& line) const override { line.Field("account", account_); }

  const std::string account_;
};

}  // namespace

QuotaService::QuotaService(const CallEnvironment& environment, const AccountDirectory& accounts, Quotas& quotas,
                           RpcMetrics& metrics)
    : environment_(environment),
      accounts_(accounts),
      quotas_(quotas),
      metrics_(metrics.AddMethod(RpcMetrics::MethodType::kUnary, "aulm.gateway.v1.QuotaService", "GetQuota")) {}

grpc::ServerUnaryReactor* QuotaService::GetQuota(grpc::CallbackServerContext* context, const grpc::ByteBuffer* bytes,
                                                 grpc::ByteBuffer* response) {
  const RawRequest<v1::GetQuotaRequest> request(*bytes);
  const std::string account = request->account().empty() ? "default" : request->account();
  auto* call = new QuotaCall(environment_, account.substr(0, kMaxAccountBytes), *response, *context, metrics_);
  if (!call->Admit(request.status())) return call;
  if (account.size() > kMaxAccountBytes) {
    FieldViolations bad;
    bad.Add("account", absl::StrCat("must have at most ", kMaxAccountBytes, " characters"));
    call->Refuse(bad.ToStatus());
  } else if (absl::Status status = call->caller().MayUseAccount(account); !status.ok()) {
    call->Refuse(std::move(status));
  } else if (accounts_.Find(account) == nullptr) {
    call->Refuse(GatewayError(GatewayReason::kAccountNotFound,
                              "the gateway has no account of this name; its accounts stand in its configuration"));
  } else {
    call->Begin(quotas_);
  }
  return call;
}

}  // namespace aulm::gateway
