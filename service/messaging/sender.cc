#include "service/messaging/sender.h"

#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "service/base/log.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

// One send's course: hands the first thing that is known to the caller, and outlives it when it detaches.
class SendInProgress final : public PendingSend,
                             public SendObserver,
                             public std::enable_shared_from_this<SendInProgress> {
 public:
  SendInProgress(const AccountDirectory& accounts, Send send, Sender::Done done)
      : accounts_(accounts), send_(std::move(send)), done_(std::move(done)) {}

  void Begin() override {
    bool given_up;
    {
      absl::MutexLock lock(&mutex_);
      given_up = cancel_requested_;
    }
    if (given_up) {
      absl::Status status = GatewayError(GatewayReason::kCallCancelled, "the caller went away before the send began");
      SetOutcome(status, Outcome::kNotSent);
      Answer(std::move(status));
      return;
    }
    const auto client = accounts_.ForSession(send_.session_id);
    if (!client.ok()) {
      absl::Status refusal = client.status();
      SetOutcome(refusal, Outcome::kNotSent);
      Answer(std::move(refusal));
      return;
    }
    const AulmClient::CallId call = AskAulm(**client);
    bool cancel;
    {
      absl::MutexLock lock(&mutex_);
      client_ = *client;
      call_ = call;
      cancel = cancel_requested_;
    }
    if (cancel) (*client)->Cancel(call);
  }

  void Cancel() override {
    AulmClient* client;
    AulmClient::CallId call;
    {
      absl::MutexLock lock(&mutex_);
      cancel_requested_ = true;
      client = client_;
      call = call_;
    }
    if (client != nullptr) client->Cancel(call);
  }

  void OnDetached(absl::Status so_far) override { Answer(std::move(so_far)); }

  void OnDone(absl::StatusOr<SendResult> result) override {
    bool answered;
    {
      absl::MutexLock lock(&mutex_);
      answered = answered_;
    }
    if (answered) {
      LogLine line(result.ok() ? LogLevel::kInfo : LogLevel::kWarn, "send settled after its caller was answered");
      line.Field("request_id", send_.request_id).Field("sent", result.ok());
      if (result.ok()) {
        line.Field("message_id", result->message_id).Field("aulm_request_id", result->aulm_request_id);
      } else {
        line.Field("reason", ReasonOf(result.status()));
      }
      return;
    }
    if (result.ok()) {
      Answer(SendAnswer{*std::move(result), /*replayed=*/false});
    } else {
      Answer(result.status());
    }
  }

 private:
  AulmClient::CallId AskAulm(AulmClient& client) {
    const AulmCallOptions options{send_.answer_by, send_.traceparent};
    if (const auto* text = std::get_if<TextMessage>(&send_.message)) {
      return client.SendText({send_.session_id, send_.to, text->body}, options, shared_from_this());
    }
    const auto& image = std::get<ImageMessage>(send_.message);
    return client.SendImage({send_.session_id, send_.to, image.image, image.caption}, options, shared_from_this());
  }

  void Answer(absl::StatusOr<SendAnswer> answer) {
    Sender::Done done;
    {
      absl::MutexLock lock(&mutex_);
      if (answered_) return;
      answered_ = true;
      done = std::move(done_);
    }
    if (answer.ok()) {
      std::move(done)(std::move(answer));
      return;
    }
    absl::Status status = answer.status();
    SetMetadata(status, "request_id", send_.request_id);
    std::move(done)(std::move(status));
  }

  const AccountDirectory& accounts_;
  const Send send_;

  absl::Mutex mutex_;
  Sender::Done done_ ABSL_GUARDED_BY(mutex_);
  AulmClient* client_ ABSL_GUARDED_BY(mutex_) = nullptr;
  AulmClient::CallId call_ ABSL_GUARDED_BY(mutex_) = 0;
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  bool cancel_requested_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

std::shared_ptr<PendingSend> Sender::Prepare(Send send, Done done) {
  return std::make_shared<SendInProgress>(accounts_, std::move(send), std::move(done));
}

}  // namespace aulm::gateway
