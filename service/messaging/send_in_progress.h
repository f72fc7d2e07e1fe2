#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "service/aulm/aulm_client.h"
#include "service/base/clock.h"
#include "service/messaging/pacer.h"
#include "service/messaging/sender.h"

namespace aulm::gateway {

// One send's course, step by step; each step's callback begins the next, so that no two run at the same time. What
// comes from outside at any moment (the caller going away, the deadline of one who follows another call) meets them
// under the mutex. Answers its caller exactly once, and outlives it where the send was written: what became of it is
// settled.
//
//   looking up → [following another call with the same id → looking up] → pacing → claiming → asking aulm → settling
//
// An id that was made here skips the looking up and the claiming: nobody can have used it before.
class SendInProgress final : public PendingSend,
                             public SendObserver,
                             public std::enable_shared_from_this<SendInProgress> {
 public:
  // All outlive the send.
  struct Environment {
    const AccountDirectory& accounts;
    const RequestLedger& ledger;
    SentMessages& messages;
    Quotas& quotas;
    Pacer& pacer;
    RetryPolicy& retries;
    SendSlots& slots;
    Clock& clock;
    InFlightSends& in_flight;
  };

  SendInProgress(const Environment& environment, Send send, Sender::Done done);

  void Begin() override;
  void Cancel() override ABSL_LOCKS_EXCLUDED(mutex_);

  void OnDetached(absl::Status so_far) override { Answer(std::move(so_far)); }
  void OnDone(absl::StatusOr<SendResult> result) override;

 private:
  enum class Step {
    kLookingUp,
    kFollowing,  // another call, here or on another replica, has the id
    kPacing,
    kClaiming,
    kAsking,  // aulm has the send, or may have it any moment
  };

  // The steps.
  void LookUp();
  void OnFound(absl::StatusOr<RequestLedger::Found> found);
  void LookAgainLater();
  void Pace();
  void OnPaced(const absl::Status& status);
  void Claim();
  void Ask();
  bool TryAgain(const absl::Status& failure);
  void Settle(absl::StatusOr<SendResult> result);
  void EndWith(absl::StatusOr<SendAnswer> answer);

  // The caller has gone or been answered: nothing more is to be begun for it.
  bool IsOver() const ABSL_LOCKS_EXCLUDED(mutex_);
  absl::Status GivenUpStatus() const;
  static absl::Status InFlightStatus();
  // Until aulm is asked, whose client watches it then.
  void WatchDeadline() ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDeadline() ABSL_LOCKS_EXCLUDED(mutex_);
  // Tells the caller, if nobody has yet.
  void Answer(absl::StatusOr<SendAnswer> answer) ABSL_LOCKS_EXCLUDED(mutex_);
  void LogSettledLate(const absl::StatusOr<SendResult>& result) const;
  // The step before.
  Step Enter(Step step) ABSL_LOCKS_EXCLUDED(mutex_);
  bool IsFollowing() const ABSL_LOCKS_EXCLUDED(mutex_);
  // The request id among those of all callers.
  std::string id() const;

  const Environment environment_;
  const Send send_;
  // Touched by the steps alone.
  std::optional<SendSlots::Slot> slot_;
  std::string digest_;
  AulmClient* client_ = nullptr;
  std::optional<RequestLedger::Claim> claim_;
  SentMessages::Expectation expectation_;  // from the first asking on, until the outcome is known
  bool leads_ = false;

  mutable absl::Mutex mutex_;
  Step step_ ABSL_GUARDED_BY(mutex_) = Step::kLookingUp;
  Pacer::Ticket ticket_ ABSL_GUARDED_BY(mutex_) = 0;
  Sender::Done done_ ABSL_GUARDED_BY(mutex_);
  int tries_ ABSL_GUARDED_BY(mutex_) = 0;
  AulmClient::CallId call_ ABSL_GUARDED_BY(mutex_) = 0;  // of the last try, while it is under way
  Clock::TimerId deadline_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  bool answered_ ABSL_GUARDED_BY(mutex_) = false;
  bool given_up_ ABSL_GUARDED_BY(mutex_) = false;  // the caller has gone, or its deadline came before aulm was asked
};

}  // namespace aulm::gateway
