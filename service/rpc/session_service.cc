#include "service/rpc/session_service.h"

#include <atomic>
#include <string>
#include <utility>

#include "google/protobuf/util/time_util.h"
#include "service/aulm/aulm_client.h"
#include "service/base/status_details.h"
#include "service/base/text.h"
#include "service/base/vocabulary.h"
#include "service/rpc/rate_limit_trailers.h"
#include "service/rpc/send_validation.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {
namespace {

// One GetSessionStatus call.
class SessionStatusCall final : public UnaryCall {
 public:
  SessionStatusCall(std::string session_id, v1::GetSessionStatusResponse& response,
                    grpc::CallbackServerContext& context, MethodMetrics& metrics, const Clock& clock,
                    absl::Duration default_deadline)
      : UnaryCall(context, metrics, clock, default_deadline),
        session_id_(std::move(session_id)),
        response_(response),
        clock_(clock) {}

  void Refuse(const absl::Status& status) { End(status); }

  void Begin(AulmClient& client) {
    const std::string traceparent = Metadata("traceparent");
    client.GetSessionStatus(session_id_, {answer_by(), traceparent},
                            [this](absl::StatusOr<SessionStatus> status) { Complete(status); });
  }

 private:
  void Complete(const absl::StatusOr<SessionStatus>& status) {
    if (!status.ok()) {
      aulm_request_id_ = AulmRequestIdOf(status.status()).value_or("");
      End(status.status());
      return;
    }
    aulm_request_id_ = status->aulm_request_id;
    v1::Session& session = *response_.mutable_session();
    session.set_session_id(RepairUtf8(status->session_id));
    session.set_state(SessionStateOf(status->status));
    session.set_aulm_state(RepairUtf8(status->status));
    *session.mutable_observed_time() =
        google::protobuf::util::TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(clock_.Now()));
    AddRequestIdTrailer(aulm_request_id_, context());
    End(absl::OkStatus());
  }

  void Describe(LogLine& line) const override {
    line.Field("session_id", session_id_);
    if (!aulm_request_id_.empty()) line.Field("aulm_request_id", aulm_request_id_);
  }

  const std::string session_id_;
  v1::GetSessionStatusResponse& response_;
  const Clock& clock_;
  std::string aulm_request_id_;
};

}  // namespace

SessionService::SessionService(absl::Duration default_deadline, const AccountDirectory& accounts, RpcMetrics& metrics,
                               const Clock& clock)
    : default_deadline_(default_deadline),
      accounts_(accounts),
      clock_(clock),
      metrics_(
          metrics.AddMethod(RpcMetrics::MethodType::kUnary, "aulm.gateway.v1.SessionService", "GetSessionStatus")) {}

grpc::ServerUnaryReactor* SessionService::GetSessionStatus(grpc::CallbackServerContext* context,
                                                           const v1::GetSessionStatusRequest* request,
                                                           v1::GetSessionStatusResponse* response) {
  auto* call = new SessionStatusCall(request->session_id(), *response, *context, metrics_, clock_, default_deadline_);
  FieldViolations bad;
  CheckSessionId(request->session_id(), bad);
  if (!bad.empty()) {
    call->Refuse(bad.ToStatus());
    return call;
  }
  const auto client = accounts_.ForSession(request->session_id());
  if (!client.ok()) {
    call->Refuse(client.status());
    return call;
  }
  call->Begin(**client);
  return call;
}

}  // namespace aulm::gateway
