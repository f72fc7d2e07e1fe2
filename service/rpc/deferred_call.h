#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "service/base/clock.h"
#include "service/base/status_details.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// A unary call whose answer comes later, from elsewhere, or not in time: whoever is first of the answer, the call's
// deadline and the caller's going away ends it. What was asked for goes on all the same.
template <typename Response>
class DeferredCall final : public UnaryCallOf<Response> {
 public:
  using AnswerCallback = absl::AnyInvocable<void(absl::StatusOr<Response>) &&>;

  // `about` stands in the log line: the subscription's name.
  DeferredCall(const CallEnvironment& environment, grpc::ByteBuffer& response, std::string about,
               grpc::CallbackServerContext& context, MethodMetrics& metrics)
      : UnaryCallOf<Response>(response, environment, context, metrics),
        about_(std::move(about)),
        clock_(environment.clock) {}

  // Starts the deadline; the call ends with what the callback gets. Once.
  AnswerCallback Expect() {
    const std::shared_ptr<Ending> ending = ending_;
    ending->Offer(this);
    const Clock::TimerId timer = clock_.CallAfter(this->answer_by() - clock_.Now(), [ending] {
      if (DeferredCall* const call = ending->Take(); call != nullptr) {
        call->End(GatewayError(GatewayReason::kCallDeadline, "there was no answer before the call's deadline"));
      }
    });
    return [ending, timer, &clock = clock_](absl::StatusOr<Response> answer) {
      clock.Cancel(timer);
      DeferredCall* const call = ending->Take();
      if (call == nullptr) return;
      if (answer.ok()) call->response().Swap(&*answer);
      call->End(answer.status());
    };
  }

 private:
  // Outlives the call.
  class Ending {
   public:
    void Offer(DeferredCall* call) ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      call_ = call;
    }
    // Once the call, then nullptr.
    DeferredCall* Take() ABSL_LOCKS_EXCLUDED(mutex_) {
      absl::MutexLock lock(&mutex_);
      return std::exchange(call_, nullptr);
    }

   private:
    absl::Mutex mutex_;
    DeferredCall* call_ ABSL_GUARDED_BY(mutex_) = nullptr;
  };

  void OnCancel() override {
    if (ending_->Take() != nullptr) this->End(GatewayError(GatewayReason::kCallCancelled, "the client went away"));
  }

  void Describe(LogLine& line) const override {
    if (!about_.empty()) line.Field("subscription", about_);
  }

  const std::string about_;
  Clock& clock_;
  const std::shared_ptr<Ending> ending_ = std::make_shared<Ending>();
};

}  // namespace aulm::gateway
