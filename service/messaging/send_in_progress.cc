#include "service/messaging/send_in_progress.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/messaging/content_digest.h"

namespace aulm::gateway {
namespace {

// Between two looks at a claim of another replica.
constexpr absl::Duration kLookAgain = absl::Milliseconds(100);

absl::Status WithOutcome(absl::Status status, Outcome outcome) {
  SetOutcome(status, outcome);
  return status;
}

// What a repeated call is told of a send whose outcome nobody knows.
absl::Status StillUnknown(const std::string& first_reason) {
  absl::Status status = GatewayError(
      GatewayReason::kSendOutcomeUnknown,
      "an earlier call with this request_id may have sent the message, and nobody can know; it is not sent again. "
      "A call with another request_id would send it, perhaps for the second time",
      {{"first_reason", first_reason.empty() ? "GATEWAY_STOPPED" : first_reason}});
  return WithOutcome(std::move(status), Outcome::kUnknown);
}

absl::Status OverloadedStatus() {
  absl::Status status =
      GatewayError(GatewayReason::kOverloaded,
                   "too many sends are under way (limits.max_in_flight_sends); it was not sent, try again later");
  SetRetryDelay(status, absl::Seconds(1));
  return WithOutcome(std::move(status), Outcome::kNotSent);
}

}  // namespace

SendInProgress::SendInProgress(const Environment& environment, Send send, Sender::Done done)
    : environment_(environment), send_(std::move(send)), done_(std::move(done)) {}

std::string SendInProgress::id() const { return absl::StrCat(send_.caller, "\n", send_.request_id); }

void SendInProgress::Begin() {
  if (IsOver()) return EndWith(GivenUpStatus());
  slot_ = environment_.slots.Take();
  if (!slot_.has_value()) return EndWith(OverloadedStatus());
  const auto client = environment_.accounts.ForSession(send_.session_id);
  if (!client.ok()) return EndWith(WithOutcome(client.status(), Outcome::kNotSent));
  client_ = *client;
  environment_.retries.NoteSend();
  if (send_.generated_id) return Pace();
  digest_ = ContentDigest(send_);
  WatchDeadline();
  LookUp();
}

SendInProgress::Step SendInProgress::Enter(Step step) {
  absl::MutexLock lock(&mutex_);
  return std::exchange(step_, step);
}

void SendInProgress::LookUp() {
  if (IsOver()) return EndWith(GivenUpStatus());
  if (!leads_) {
    // Once it has followed, another call may have sent the message: it is following then until the id is found free.
    const bool is_first = Enter(Step::kFollowing) == Step::kLookingUp;
    // Where it follows, whoever leads may be calling LookUp by now: nothing of the send's is touched any more.
    const bool leads = environment_.in_flight.LeadOrFollow(id(), [self = shared_from_this()] { self->LookUp(); });
    if (!leads) return environment_.ledger.CountFollower();
    leads_ = true;
    if (is_first) Enter(Step::kLookingUp);
  }
  environment_.ledger.LookUp(send_, digest_, [self = shared_from_this()](absl::StatusOr<RequestLedger::Found> found) {
    self->OnFound(std::move(found));
  });
}

void SendInProgress::OnFound(absl::StatusOr<RequestLedger::Found> found) {
  if (!found.ok()) return EndWith(IsFollowing() ? InFlightStatus() : found.status());
  switch (found->state) {
    case RequestLedger::Found::State::kAbsent:
      return Pace();
    case RequestLedger::Found::State::kUnderWay:
      return LookAgainLater();
    case RequestLedger::Found::State::kSent:
      return EndWith(std::move(found->answer));
    case RequestLedger::Found::State::kUnknown:
      return EndWith(StillUnknown(found->unknown_reason));
  }
}

void SendInProgress::LookAgainLater() {
  Enter(Step::kFollowing);
  environment_.clock.CallAfter(kLookAgain, [self = shared_from_this()] { self->LookUp(); });
}

void SendInProgress::WatchDeadline() {
  absl::MutexLock lock(&mutex_);
  if (deadline_timer_ != 0 || answered_) return;
  const absl::Duration left = std::max(send_.answer_by - environment_.clock.Now(), absl::ZeroDuration());
  deadline_timer_ = environment_.clock.CallAfter(left, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->OnDeadline();
  });
}

void SendInProgress::OnDeadline() {
  Step step;
  Pacer::Ticket ticket;
  {
    absl::MutexLock lock(&mutex_);
    step = step_;
    ticket = ticket_;
    if (step != Step::kAsking) given_up_ = true;  // from here on it is not asked
  }
  if (step == Step::kAsking) return;
  if (step == Step::kFollowing) return Answer(InFlightStatus());
  absl::Status late = WithOutcome(
      GatewayError(GatewayReason::kCallDeadline, "the deadline came before the message was sent; try again"),
      Outcome::kNotSent);
  if (environment_.pacer.Leave(ticket)) return EndWith(std::move(late));
  Answer(std::move(late));  // the step under way sees it and lets go of what it holds
}

void SendInProgress::Pace() {
  if (IsOver()) return EndWith(GivenUpStatus());
  if (send_.rate != nullptr) {
    if (absl::Status refusal = send_.rate->Take(); !refusal.ok()) return EndWith(std::move(refusal));
  }
  if (absl::Status refusal = environment_.quotas.Check(client_->account()); !refusal.ok()) {
    return EndWith(std::move(refusal));
  }
  const auto next = [self = shared_from_this()](const absl::Status& status) { self->OnPaced(status); };
  if (!client_->live()) return next(absl::OkStatus());  // simulated sends burn no number
  Enter(Step::kPacing);
  WatchDeadline();
  const Pacer::Ticket ticket =
      environment_.pacer.Wait({client_->account(), send_.session_id, send_.to, send_.caller, send_.answer_by}, next);
  bool over;
  {
    absl::MutexLock lock(&mutex_);
    ticket_ = ticket;
    over = given_up_ || answered_;
  }
  if (over && environment_.pacer.Leave(ticket)) EndWith(GivenUpStatus());
}

void SendInProgress::OnPaced(const absl::Status& status) {
  if (!status.ok()) return EndWith(status);
  if (send_.generated_id) return Ask();
  Claim();
}

void SendInProgress::Claim() {
  Enter(Step::kClaiming);
  environment_.ledger.Take(send_, digest_, client_->account(),
                           [self = shared_from_this()](absl::StatusOr<std::optional<RequestLedger::Claim>> claim) {
                             if (!claim.ok()) return self->EndWith(claim.status());
                             if (!claim->has_value()) {  // another call has it
                               self->Enter(Step::kFollowing);
                               return self->LookUp();
                             }
                             self->claim_ = *std::move(claim);
                             self->Ask();
                           });
}

void SendInProgress::Ask() {
  bool over;
  int this_try;
  Clock::TimerId timer;
  {
    absl::MutexLock lock(&mutex_);
    over = given_up_ || answered_;
    if (!over) step_ = Step::kAsking;
    this_try = over ? tries_ : ++tries_;
    timer = std::exchange(deadline_timer_, 0);
  }
  if (timer != 0) environment_.clock.Cancel(timer);  // from here on aulm's client watches the deadline
  if (over) return Settle(GivenUpStatus());
  if (this_try == 1) expectation_ = environment_.messages.Expect(client_->account(), send_.session_id, send_.to);
  const AulmCallOptions options{send_.answer_by, send_.traceparent};
  AulmClient::CallId call;
  if (const auto* text = std::get_if<TextMessage>(&send_.message)) {
    call = client_->SendText({send_.session_id, send_.to, text->body}, options, shared_from_this());
  } else {
    const auto& image = std::get<ImageMessage>(send_.message);
    call = client_->SendImage({send_.session_id, send_.to, image.image, image.caption}, options, shared_from_this());
  }
  bool given_up;
  {
    absl::MutexLock lock(&mutex_);
    // Its answer, and the next try, may have come before it got here.
    if (this_try == tries_ && step_ == Step::kAsking) call_ = call;
    given_up = given_up_;
  }
  if (given_up) client_->Cancel(call);
}

void SendInProgress::OnDone(absl::StatusOr<SendResult> result) {
  environment_.quotas.Note(client_->account(), result);
  if (!result.ok() && TryAgain(result.status())) return;
  Settle(std::move(result));
}

bool SendInProgress::TryAgain(const absl::Status& failure) {
  int tries;
  {
    absl::MutexLock lock(&mutex_);
    if (given_up_ || answered_) return false;
    tries = tries_;
  }
  const auto wait = environment_.retries.NextTry(failure, tries, environment_.clock.Now(), send_.answer_by);
  if (!wait.has_value()) return false;
  {
    absl::MutexLock lock(&mutex_);
    if (given_up_ || answered_) return false;
    call_ = 0;
    step_ = Step::kPacing;  // nothing is written, and a caller who goes away is answered at once
  }
  environment_.clock.CallAfter(*wait, [self = shared_from_this()] { self->Ask(); });
  return true;
}

void SendInProgress::Settle(absl::StatusOr<SendResult> result) {
  if (IsOver()) LogSettledLate(result);
  if (result.ok()) environment_.messages.Add(send_, client_->account(), *result);
  expectation_.End();
  const bool not_sent = !result.ok() && OutcomeOf(result.status()) == Outcome::kNotSent;
  absl::StatusOr<SendAnswer> answer(SendAnswer{});
  if (result.ok()) {
    answer->result = *result;
  } else {
    answer = result.status();
  }
  if (!claim_.has_value()) {  // an id that we made
    if (!not_sent) environment_.ledger.RecordGenerated(send_, client_->account(), result);
    return EndWith(std::move(answer));
  }
  auto end = [self = shared_from_this(), answer = std::move(answer)]() mutable { self->EndWith(std::move(answer)); };
  if (not_sent) {
    environment_.ledger.Release(*std::move(claim_), std::move(end));
  } else {
    environment_.ledger.Settle(send_, *std::move(claim_), result, std::move(end));
  }
}

void SendInProgress::LogSettledLate(const absl::StatusOr<SendResult>& result) const {
  LogLine line(result.ok() ? LogLevel::kInfo : LogLevel::kWarn, "send_settled_late");
  line.Field("request_id", send_.request_id).Field("sent", result.ok());
  if (result.ok()) {
    line.Field("message_id", result->message_id).Field("aulm_request_id", result->aulm_request_id);
  } else {
    line.Field("reason", ReasonOf(result.status()));
  }
}

void SendInProgress::EndWith(absl::StatusOr<SendAnswer> answer) {
  Answer(std::move(answer));
  if (leads_) environment_.in_flight.End(id());
}

void SendInProgress::Cancel() {
  AulmClient::CallId call;
  Pacer::Ticket ticket;
  Step step;
  {
    absl::MutexLock lock(&mutex_);
    given_up_ = true;
    call = call_;
    ticket = ticket_;
    step = step_;
  }
  if (step == Step::kAsking) {
    if (call != 0) client_->Cancel(call);  // 0: Ask is just getting it, and looks afterwards
    return;
  }
  if (environment_.pacer.Leave(ticket)) return EndWith(GivenUpStatus());
  Answer(GivenUpStatus());  // the step under way sees it and lets go of what it holds
}

bool SendInProgress::IsOver() const {
  absl::MutexLock lock(&mutex_);
  return given_up_ || answered_;
}

bool SendInProgress::IsFollowing() const {
  absl::MutexLock lock(&mutex_);
  return step_ == Step::kFollowing;
}

absl::Status SendInProgress::InFlightStatus() {
  return WithOutcome(GatewayError(GatewayReason::kRequestInFlight,
                                  "another call with this request_id is still under way; call again with the same "
                                  "request_id to hear of its outcome"),
                     Outcome::kUnknown);
}

absl::Status SendInProgress::GivenUpStatus() const {
  return WithOutcome(GatewayError(GatewayReason::kCallCancelled, "the caller went away before the message was sent"),
                     Outcome::kNotSent);
}

void SendInProgress::Answer(absl::StatusOr<SendAnswer> answer) {
  Sender::Done done;
  Clock::TimerId timer;
  {
    absl::MutexLock lock(&mutex_);
    if (answered_) return;
    answered_ = true;
    done = std::move(done_);
    timer = deadline_timer_;
  }
  if (timer != 0) environment_.clock.Cancel(timer);
  if (answer.ok()) return std::move(done)(std::move(answer));
  absl::Status status = answer.status();
  SetMetadata(status, "request_id", send_.request_id);
  std::move(done)(std::move(status));
}

}  // namespace aulm::gateway
