#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/message.pb.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "grpcpp/impl/codegen/proto_utils.h"
#include "grpcpp/support/byte_buffer.h"
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
  // The parts of the method's response, to be filled before Respond.
  virtual v1::SentMessage& message() = 0;
  virtual v1::RateLimit& rate_limit() = 0;
  // Writes the method's response.
  virtual void Respond(bool replayed) = 0;

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
class SendCallOf final : public SendCall {
 public:
  // gRPC owns the response until the call is done.
  SendCallOf(const CallEnvironment& environment, grpc::ByteBuffer& response, grpc::CallbackServerContext& context,
             MethodMetrics& metrics, std::string request_id, bool generated_id)
      : SendCall(environment, context, metrics, std::move(request_id), generated_id), response_(response) {}

 private:
  v1::SentMessage& message() override { return *filled_.mutable_message(); }
  v1::RateLimit& rate_limit() override { return *filled_.mutable_rate_limit(); }
  void Respond(bool replayed) override {
    filled_.set_replayed(replayed);
    bool owned;
    grpc::SerializationTraits<Response>::Serialize(filled_, &response_, &owned);
  }

  Response filled_;
  grpc::ByteBuffer& response_;
};

}  // namespace aulm::gateway
