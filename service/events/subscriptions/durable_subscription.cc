#include "service/events/subscriptions/durable_subscription.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/subscriptions/blocking_state.h"
#include "service/events/subscriptions/consumer_stream.h"
#include "service/events/subscriptions/owned_name.h"

namespace aulm::gateway {
namespace {

// How long what nobody waits for may wait for company.
constexpr absl::Duration kRelaxedDelay = absl::Milliseconds(20);
// How long the registry's thread waits for a round.
constexpr absl::Duration kWriteLimit = absl::Seconds(3);

absl::Status StoreFailed(const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("the subscription's position cannot be stored: ", cause.message()));
}

absl::Status TakenOver() {
  return GatewayError(GatewayReason::kDraining, "the subscription was taken over by another replica: connect again");
}

google::protobuf::Duration ToProto(absl::Duration duration) {
  return google::protobuf::util::TimeUtil::MillisecondsToDuration(
      std::max<int64_t>(0, absl::ToInt64Milliseconds(duration)));
}

EventSelection SelectionOf(const SubscriptionContext& context, const state::v1::SubscriptionRecord& record) {
  EventSelection selection;
  selection.filter = EventFilter(record.specification().filter());
  if (context.visibility_of) selection.visibility = context.visibility_of(OwnerOf(record.specification().name()));
  return selection;
}

}  // namespace

DurableSubscription::DurableSubscription(const SubscriptionContext& context,
                                         const state::v1::SubscriptionRecord& record)
    : context_(context),
      record_(record),
      selection_(SelectionOf(context, record)),
      share_key_(context.random.Uuid()),
      series_(context.metrics.Of(record.specification().name())),
      log_epoch_(context.hub.log().Info().epoch) {}

void DurableSubscription::Confirm(uint64_t epoch, uint64_t term, const Assignment& assignment) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    epoch_ = epoch;
    term_ = term;
    assignment_ = assignment;
    Collect(actions);
  }
  Perform(std::move(actions));
}

uint64_t DurableSubscription::epoch() const {
  absl::MutexLock lock(&mutex_);
  return epoch_;
}

uint64_t DurableSubscription::term() const {
  absl::MutexLock lock(&mutex_);
  return term_;
}

Assignment DurableSubscription::assignment() const {
  absl::MutexLock lock(&mutex_);
  return assignment_;
}

bool DurableSubscription::MayHandOut() const { return term_ != 0 && context_.roster.Term() == term_; }

absl::StatusOr<std::shared_ptr<FrameSource>> DurableSubscription::AddConsumer(const ConsumerSpec& spec) {
  if (absl::Status status = CheckMode(spec); !status.ok()) return status;
  return std::make_shared<ConsumerStream>(shared_from_this(), spec, context_.random.Uuid());
}

state::v1::ShareStats DurableSubscription::ReadStats() {
  state::v1::ShareStats share;
  absl::MutexLock lock(&mutex_);
  FillStats(share);
  return share;
}

absl::StatusOr<uint64_t> DurableSubscription::ReplayParked(const v1::ReplayParkedEventsRequest&) {
  return ModeError("only a subscription in mode SHARED parks events");
}

void DurableSubscription::Drain() {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    DrainConsumers("shutdown");
    Collect(actions);
  }
  Perform(std::move(actions));
}

void DurableSubscription::Leave(absl::string_view reason) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    if (!end_.ok()) return;
    DrainConsumers(reason);
    end_ = DrainStatus(reason);
    Collect(actions);
  }
  Perform(std::move(actions));
}

void DurableSubscription::End(const absl::Status& status) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    if (!end_.ok()) return;
    EndConsumers(status);
    end_ = status;
    Collect(actions);
  }
  Perform(std::move(actions));
}

void DurableSubscription::NoteLoss(uint64_t after, uint64_t kept_after) {
  absl::MutexLock lock(&mutex_);
  untold_gap_ = NoteGap(after, kept_after);
}

bool DurableSubscription::ended() const {
  absl::MutexLock lock(&mutex_);
  return !end_.ok();
}

absl::Status DurableSubscription::WriteThrough() {
  // Shared with the round, which may come to its end long after a shutdown stopped waiting.
  struct Round {
    absl::Notification written;
    absl::Status status;
  };
  const auto round = std::make_shared<Round>();
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    if (paused_) return StoreFailed(absl::UnavailableError("the store refused it just now"));
    WhenDurable([round](absl::Status status) {
      round->status = std::move(status);
      round->written.Notify();
    });
    Collect(actions);
  }
  Perform(std::move(actions));
  if (!round->written.WaitForNotificationWithTimeout(kWriteLimit)) {
    return StoreFailed(absl::DeadlineExceededError("the store does not answer"));
  }
  return round->status;
}

void DurableSubscription::Perform(Actions actions) {
  for (auto& action : actions) std::move(action)();
}

void DurableSubscription::Advance() {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    Collect(actions);
  }
  Perform(std::move(actions));
}

void DurableSubscription::WhenDurable(absl::AnyInvocable<void(absl::Status) &&> done) {
  waiters_.push_back(std::move(done));
}

void DurableSubscription::WriteWhatIsDue(Actions& actions) {
  if (!end_.ok()) {
    for (Waiter& waiter : std::exchange(waiters_, {})) {
      actions.emplace_back([waiter = std::move(waiter), status = end_]() mutable { std::move(waiter)(status); });
    }
    return;
  }
  if (HasWrites()) relaxed_dirty_ = true;
  if (writing_ || paused_) return;
  if (waiters_.empty() && !relaxed_due_) {
    if (!relaxed_dirty_ || relaxed_timer_) return;
    relaxed_timer_ = true;
    context_.clock.CallAfter(kRelaxedDelay, [weak = weak_from_this()] {
      const std::shared_ptr<DurableSubscription> self = weak.lock();
      if (self == nullptr) return;
      {
        absl::MutexLock lock(&self->mutex_);
        self->relaxed_timer_ = false;
        self->relaxed_due_ = true;
      }
      self->Advance();
    });
    return;
  }
  if (waiters_.empty() && !relaxed_dirty_) {
    relaxed_due_ = false;
    return;
  }
  writing_ = true;
  written_waiters_ = std::exchange(waiters_, {});
  if (std::vector<StateWrite> first = TakeFirstWrites(); !first.empty()) {
    actions.emplace_back(
        [self = shared_from_this(), first = std::move(first)]() mutable { self->IssueFirst(std::move(first)); });
    return;
  }
  WriteState(actions);
}

void DurableSubscription::WriteState(Actions& actions) {
  std::vector<StateWrite> writes = TakeWrites();
  writes.insert(writes.begin(), {kShares, ShareKey(id(), share_key_), ShareRecord().SerializeAsString(), revision_});
  const auto durability = written_waiters_.empty() && !MustBeDurable() ? StateStore::Durability::kRelaxed
                                                                       : StateStore::Durability::kDurable;
  relaxed_dirty_ = false;
  relaxed_due_ = false;
  actions.emplace_back([self = shared_from_this(), writes = std::move(writes), durability]() mutable {
    self->Issue(std::move(writes), durability);
  });
}

void DurableSubscription::IssueFirst(std::vector<StateWrite> writes) {
  context_.state.Write(std::move(writes), StateStore::Durability::kDurable,
                       [self = shared_from_this()](const std::vector<absl::StatusOr<uint64_t>>& results) {
                         self->OnFirstWritten(results);
                       });
}

void DurableSubscription::OnFirstWritten(const std::vector<absl::StatusOr<uint64_t>>& results) {
  const bool ok = std::all_of(results.begin(), results.end(), [](const auto& result) { return result.ok(); });
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    FirstWritten(ok);
    if (ok && end_.ok()) {
      WriteState(actions);
    } else {
      writing_ = false;
      for (Waiter& waiter : std::exchange(written_waiters_, {})) waiters_.push_back(std::move(waiter));
      PauseWrites(actions);
    }
    Collect(actions);
  }
  Perform(std::move(actions));
}

void DurableSubscription::Issue(std::vector<StateWrite> writes, StateStore::Durability durability) {
  context_.state.Write(
      std::move(writes), durability,
      [self = shared_from_this()](const std::vector<absl::StatusOr<uint64_t>>& results) { self->OnWritten(results); });
}

void DurableSubscription::OnWritten(const std::vector<absl::StatusOr<uint64_t>>& results) {
  absl::Status failure;
  for (const absl::StatusOr<uint64_t>& result : results) {
    if (!result.ok() && !absl::IsAborted(failure)) failure = result.status();
  }
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (results[0].ok()) revision_ = *results[0];
    Written(results[0].ok(), {results.begin() + 1, results.end()});
    if (absl::IsAborted(failure) && end_.ok()) {
      // Somebody else wrote the record or one of its blocks, or this replica did and did not hear of it: the share has
      // another owner, or none.
      LogLine(LogLevel::kWarn, "subscription_taken_over").Field("subscription", name()).Field("epoch", epoch_);
      DrainConsumers("moved");
      end_ = TakenOver();
      actions.emplace_back([self = shared_from_this()] { self->context_.look(self->name()); });
    }
    const absl::Status status = !end_.ok() ? end_ : failure.ok() ? absl::OkStatus() : StoreFailed(failure);
    for (Waiter& waiter : std::exchange(written_waiters_, {})) {
      actions.emplace_back([waiter = std::move(waiter), status]() mutable { std::move(waiter)(status); });
    }
    if (!failure.ok() && end_.ok()) {
      relaxed_dirty_ = true;
      PauseWrites(actions);
    }
    Collect(actions);
  }
  Perform(std::move(actions));
}

void DurableSubscription::PauseWrites(Actions& actions) {
  if (!end_.ok()) return;
  series_->write_failures->Increment();
  LogLine(LogLevel::kWarn, "subscription_write_failed").Field("subscription", name());
  // Whoever waits is told, and may ask again: what was done stays done, and is written later.
  for (Waiter& waiter : std::exchange(waiters_, {})) {
    actions.emplace_back([waiter = std::move(waiter)]() mutable {
      std::move(waiter)(StoreFailed(absl::UnavailableError("the store refused it")));
    });
  }
  paused_ = true;
  context_.clock.CallAfter(context_.hub.options().retry_delay, [weak = weak_from_this()] {
    const std::shared_ptr<DurableSubscription> self = weak.lock();
    if (self == nullptr) return;
    {
      absl::MutexLock lock(&self->mutex_);
      self->paused_ = false;
      self->relaxed_dirty_ = true;
      self->relaxed_due_ = true;
    }
    self->Advance();
  });
}

absl::Status DurableSubscription::ModeError(absl::string_view what) const {
  const absl::string_view mode = record_.specification().mode() == v1::SUBSCRIPTION_MODE_SHARED ? "SHARED" : "CURSOR";
  absl::Status status = GatewayError(GatewayReason::kSubscriptionMode,
                                     absl::StrCat("subscription ", NameOf(name()), " is in mode ", mode, ": ", what));
  SetResourceInfo(status, "subscription", NameOf(name()), "of the other mode");
  return status;
}

absl::Status DurableSubscription::DrainStatus(absl::string_view reason) const {
  return GatewayError(GatewayReason::kDraining,
                      absl::StrCat("the stream was drained (", reason, "): subscribe to ", NameOf(name()), " again"));
}

Frame DurableSubscription::MakeDrain(absl::string_view reason, absl::string_view resume_cursor) const {
  v1::SubscribeEventsResponse response;
  v1::Drain& drain = *response.mutable_drain();
  drain.set_reason(std::string(reason));
  const absl::Duration base = reason == "age" ? absl::Milliseconds(100) : context_.streams.options.reconnect_after;
  *drain.mutable_reconnect_after() = ToProto(base * (0.5 + context_.random.Uniform()));
  drain.set_resume_cursor(std::string(resume_cursor));
  return EncodeFrame(FrameKind::kDrain, response);
}

Frame DurableSubscription::MakeStarted(const std::string& stream_id) const {
  const LogInfo info = context_.hub.log().Info();
  v1::SubscribeEventsResponse response;
  v1::Started& started = *response.mutable_started();
  started.set_stream_id(stream_id);
  started.set_earliest_cursor(CursorAt(EarliestPosition(info)));
  started.set_head_cursor(CursorAt(context_.hub.head()));
  return EncodeFrame(FrameKind::kStarted, response);
}

std::string DurableSubscription::CursorAt(const Position& position) const {
  return EncodeCursor({log_epoch_, position.sequence, position.fingerprint});
}

v1::Gap DurableSubscription::NoteGap(uint64_t after, uint64_t kept_after) {
  series_->gaps->Increment();
  LogLine(LogLevel::kError, "subscription_fell_behind_retention")
      .Field("subscription", name())
      .Field("after_sequence", after)
      .Field("kept_after_sequence", kept_after);
  v1::Gap gap;
  gap.set_from_cursor(CursorAt({after, 0}));
  gap.set_to_cursor(CursorAt({kept_after, 0}));
  gap.set_reason("the subscription fell behind what the event log keeps");
  return gap;
}

}  // namespace aulm::gateway
