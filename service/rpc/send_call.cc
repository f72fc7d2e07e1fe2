#include "service/rpc/send_call.h"

#include "service/base/status_details.h"
#include "service/base/text.h"
#include "service/base/vocabulary.h"
#include "service/rpc/rate_limit_trailers.h"

namespace aulm::gateway {
namespace {

void Fill(const RateLimit& limit, v1::RateLimit& message) {
  message.set_limit(limit.limit);
  message.set_remaining(limit.remaining);
  if (limit.reset.has_value()) message.mutable_reset_time()->set_seconds(absl::ToUnixSeconds(*limit.reset));
}

}  // namespace

SendCall::SendCall(const CallEnvironment& environment, grpc::CallbackServerContext& context, MethodMetrics& metrics,
                   std::string request_id, bool generated_id)
    : UnaryCall(environment, context, metrics), request_id_(std::move(request_id)), generated_id_(generated_id) {}

void SendCall::Refuse(absl::Status status) {
  SetOutcome(status, Outcome::kNotSent);
  SetMetadata(status, "request_id", request_id_);
  End(status);
}

void SendCall::Begin(Sender& sender, Send send) {
  session_id_ = send.session_id;
  to_ = send.to;
  send.caller = caller().name();
  send.rate = caller().send_rate();
  send.request_id = request_id_;
  send.generated_id = generated_id_;
  send.answer_by = answer_by();
  send.traceparent = traceparent();
  const std::shared_ptr<PendingSend> pending =
      sender.Prepare(std::move(send), [this](const absl::StatusOr<SendAnswer>& answer) { Complete(answer); });
  {
    absl::MutexLock lock(&mutex_);
    pending_ = pending;
  }
  if (context().IsCancelled()) pending->Cancel();  // OnCancel may have come before there was anything to cancel
  pending->Begin();                                // the last touch: the call may be over before it returns
}

void SendCall::OnCancel() {
  std::shared_ptr<PendingSend> pending;
  {
    absl::MutexLock lock(&mutex_);
    pending = pending_;
  }
  if (pending != nullptr) pending->Cancel();
}

void SendCall::Complete(const absl::StatusOr<SendAnswer>& answer) {
  if (!answer.ok()) {
    aulm_request_id_ = AulmRequestIdOf(answer.status()).value_or("");
    End(answer.status());
    return;
  }
  const SendResult& result = answer->result;
  message_id_ = result.message_id;
  aulm_request_id_ = result.aulm_request_id;
  v1::SentMessage& sent = message();
  sent.set_message_id(RepairUtf8(result.message_id));
  sent.set_session_id(RepairUtf8(result.session_id));
  sent.set_to(RepairUtf8(result.to));
  sent.set_status(MessageStatusOf(result.status));
  sent.set_simulated(result.simulated);
  sent.set_request_id(request_id_);
  sent.set_aulm_request_id(RepairUtf8(result.aulm_request_id));
  AddRequestIdTrailer(result.aulm_request_id, context());
  if (result.rate_limit.has_value()) {
    Fill(*result.rate_limit, rate_limit());
    AddRateLimitTrailers(rate_limit(), context());
  }
  set_replayed(answer->replayed);
  End(absl::OkStatus());
}

void SendCall::Describe(LogLine& line) const {
  line.Field("request_id", request_id_).Field("session_id", session_id_).Field("to", MaskPhone(to_));
  if (IsPlainId(message_id_)) line.Field("message_id", message_id_);  // some engines make ids of phone numbers
  if (!aulm_request_id_.empty()) line.Field("aulm_request_id", aulm_request_id_);
}

}  // namespace aulm::gateway
