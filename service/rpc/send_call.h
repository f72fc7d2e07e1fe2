#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/message.pb.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "service/messaging/send.h"
#include "service/messaging/sender.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// One SendText or SendImage call: gives the send up when its caller goes away, fills the response, ends the call.
class SendCall : public UnaryCall {
 public:
  SendCall(const CallEnvironment& environment, grpc::CallbackServerContext& context, MethodMetrics& metrics,
           std::string request_id, bool generated_id);

  // The status gets the outcome not_sent and the request id.
  void Refuse(absl::Status status) final;

  // Sets the send on its way; the caller, the request id, the deadline and the trace context are filled in here.
  void Begin(Sender& sender, Send send);

  void OnCancel() final;

 protected:
  // The parts of the method's response, to be filled before the call ends well.
  virtual v1::SentMessage& message() = 0;
  virtual v1::RateLimit& rate_limit() = 0;
  virtual void set_replayed(bool replayed) = 0;

 private:
  void Complete(const absl::StatusOr<SendAnswer>& answer);
  void Describe(LogLine& line) const final;

  const std::string request_id_;
  const bool generated_id_;
  std::string session_id_;
  std::string to_;
  std::string message_id_;
  std::string aulm_request_id_;

  absl::Mutex mutex_;
  std::shared_ptr<PendingSend> pending_ ABSL_GUARDED_BY(mutex_);
};

// SendTextResponse and SendImageResponse have the same three fields.
template <typename Response>
class SendCallOf final : public UnaryCallOf<Response, SendCall> {
 public:
  // The arguments are SendCall's after the response's bytes.
  using UnaryCallOf<Response, SendCall>::UnaryCallOf;

 private:
  v1::SentMessage& message() override { return *this->response().mutable_message(); }
  v1::RateLimit& rate_limit() override { return *this->response().mutable_rate_limit(); }
  void set_replayed(bool replayed) override { this->response().set_replayed(replayed); }
};

}  // namespace aulm::gateway
