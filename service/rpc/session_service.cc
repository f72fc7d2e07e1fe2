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
#include "service/rpc/raw_request.h"
#include "service/rpc/send_validation.h"

namespace aulm::gateway {
namespace {

// One GetSessionStatus call.
class SessionStatusCall final : public UnaryCallOf<v1::GetSessionStatusResponse> {
 public:
  SessionStatusCall(const CallEnvironment& environment, std::string session_id, grpc::ByteBuffer& response,
                    grpc::CallbackServerContext& context, MethodMetrics& metrics)
      : UnaryCallOf(response, environment, context, metrics), session_id_(std::move(session_id)) {}

  void Begin(AulmClient& client, SessionReader& reader, const SessionWatch& watch) {
    reader.Read(client, session_id_, answer_by(), traceparent(),
                [this, &client, &watch](const absl::StatusOr<SessionReader::Reading>& reading) {
                  Complete(reading, watch.suspect(client.account(), session_id_));
                });
  }

 private:
  void Complete(const absl::StatusOr<SessionReader::Reading>& reading, bool suspect) {
    if (!reading.ok()) {
      aulm_request_id_ = AulmRequestIdOf(reading.status()).value_or("");
      End(reading.status());
      return;
    }
    const SessionStatus& status = reading->status;
    aulm_request_id_ = status.aulm_request_id;
    v1::Session& session = *response().mutable_session();
    session.set_session_id(RepairUtf8(status.session_id));
    session.set_state(SessionStateOf(status.status));
    session.set_aulm_state(RepairUtf8(status.status));
    session.set_suspect(suspect && session.state() == v1::SESSION_STATE_CONNECTED);
    *session.mutable_observed_time() =
        google::protobuf::util::TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(reading->observed));
    AddRequestIdTrailer(aulm_request_id_, context());
    End(absl::OkStatus());
  }

  void Describe(LogLine& line) const override {
    line.Field("session_id", session_id_);
    if (!aulm_request_id_.empty()) line.Field("aulm_request_id", aulm_request_id_);
  }

  const std::string session_id_;
  std::string aulm_request_id_;
};

}  // namespace

SessionService::SessionService(const CallEnvironment& environment, const AccountDirectory& accounts,
                               SessionReader& reader, const SessionWatch& watch, RpcMetrics& metrics)
    : environment_(environment),
      accounts_(accounts),
      reader_(reader),
      watch_(watch),
      metrics_(
          metrics.AddMethod(RpcMetrics::MethodType::kUnary, "aulm.gateway.v1.SessionService", "GetSessionStatus")) {}

grpc::ServerUnaryReactor* SessionService::GetSessionStatus(grpc::CallbackServerContext* context,
                                                           const grpc::ByteBuffer* bytes, grpc::ByteBuffer* response) {
  const RawRequest<v1::GetSessionStatusRequest> request(*bytes);
  auto* call = new SessionStatusCall(environment_, request->session_id(), *response, *context, metrics_);
  if (!call->Admit(request.status())) return call;
  FieldViolations bad;
  CheckSessionId(request->session_id(), bad);
  if (!bad.empty()) {
    call->Refuse(bad.ToStatus());
    return call;
  }
  if (absl::Status status = call->caller().MayUseSession(request->session_id(), accounts_); !status.ok()) {
    call->Refuse(std::move(status));
    return call;
  }
  const auto client = accounts_.ForSession(request->session_id());
  if (!client.ok()) {
    call->Refuse(client.status());
    return call;
  }
  call->Begin(**client, reader_, watch_);
  return call;
}

}  // namespace aulm::gateway
