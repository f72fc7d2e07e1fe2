#include "service/events/subscriptions/shared_subscription.h"

#include <algorithm>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/subscriptions/blocking_state.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/selected_events.h"
#include "service/events/subscriptions/settled_deliveries.h"

namespace aulm::gateway {
namespace {

using google::protobuf::util::TimeUtil;

// Pages taken from the ring under the lock before others get their turn.
constexpr int kPagesATurn = 8;
constexpr absl::Duration kShortestTimer = absl::Milliseconds(1);

absl::Duration FromProto(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

}  // namespace

SharedSubscription::SharedSubscription(const SubscriptionContext& context, const state::v1::SubscriptionRecord& record,
                                       const SharedLedger::Limits& limits)
    : DurableSubscription(context, record),
      share_(id(),
             {FromProto(record.specification().ack_deadline()), record.specification().max_attempts(),
              FromProto(record.specification().retry_delay())},
             limits, FromProto(record.specification().parked_retention())) {}

std::shared_ptr<SharedSubscription> SharedSubscription::Self() {
  return std::static_pointer_cast<SharedSubscription>(shared_from_this());
}

void SharedSubscription::Reserve(PartitionSet partitions, const ShareContent& content,
                                 const std::vector<state::v1::ParkedRecord>& parked) {
  absl::MutexLock lock(&mutex_);
  share_.Reserve(partitions, content, parked);
  TouchRelaxed();
}

void SharedSubscription::Hold(PartitionSet partitions) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    share_.Hold(partitions);
    // The log is read again from the lowest of their floors.
    if (std::exchange(waiting_at_head_, false)) context_.hub.StopWaiting(Self());
    Collect(actions);
  }
  Perform(std::move(actions));
}

void SharedSubscription::Abandon(PartitionSet partitions) {
  absl::MutexLock lock(&mutex_);
  share_.Abandon(partitions);
  TouchRelaxed();
}

PartitionSet SharedSubscription::Withhold(PartitionSet partitions) {
  absl::MutexLock lock(&mutex_);
  return share_.Withhold(partitions);
}

void SharedSubscription::Resume(PartitionSet partitions) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    if ((share_.ledger().withheld() & partitions) == kNoPartitions) return;
    share_.ledger().Resume(partitions);
    Collect(actions);
  }
  Perform(std::move(actions));
}

ShareContent SharedSubscription::ContentOf(PartitionSet partitions) {
  absl::MutexLock lock(&mutex_);
  return share_.ContentOf(partitions);
}

void SharedSubscription::Forget(PartitionSet partitions) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    share_.Forget(partitions);
    TouchRelaxed();
    Collect(actions);
  }
  Perform(std::move(actions));
}

PartitionSet SharedSubscription::held() const {
  absl::MutexLock lock(&mutex_);
  return share_.ledger().held();
}

size_t SharedSubscription::consumers() const {
  absl::MutexLock lock(&mutex_);
  return consumers_.staying();
}

absl::Status SharedSubscription::CheckMode(const ConsumerSpec& spec) const {
  return spec.take_over ? ModeError("take_over is of mode CURSOR") : absl::OkStatus();
}

uint64_t SharedSubscription::Join(const ConsumerSpec& spec, const std::string& stream_id) {
  const absl::Time now = context_.clock.Now();
  uint64_t id;
  {
    absl::MutexLock lock(&mutex_);
    SharedConsumer consumer;
    consumer.spec = spec;
    consumer.stream_id = stream_id;
    consumer.last_frame = now;
    consumer.drain_at = now + context_.streams.options.max_age * (0.8 + 0.2 * context_.random.Uniform());
    consumer.end = end_;
    consumer.gap = std::exchange(untold_gap_, std::nullopt);
    const size_t max_outstanding = consumer.max_outstanding();
    id = consumers_.Add(std::move(consumer));
    if (end_.ok()) share_.ledger().Join(id, max_outstanding);
  }
  context_.look(name());
  return id;
}

void SharedSubscription::Next(uint64_t id, FrameSource::FrameCallback done) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    SharedConsumer* const consumer = consumers_.Find(id);
    if (consumer == nullptr) return;
    consumer->next = std::move(done);
    Collect(actions);
  }
  Perform(std::move(actions));
}

void SharedSubscription::LeaveConsumer(uint64_t id) {
  FrameSource::FrameCallback dropped;
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    SharedConsumer* const consumer = consumers_.Find(id);
    if (consumer == nullptr) return;
    dropped = std::move(consumer->next);
    consumers_.Remove(id);
    share_.ledger().Leave(id, context_.clock.Now(), /*counted=*/true);
    Collect(actions);
  }
  Perform(std::move(actions));
  context_.look(name());
}

FrameSource::Totals SharedSubscription::TotalsOf(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  const SharedConsumer* const consumer = consumers_.Find(id);
  return consumer == nullptr ? FrameSource::Totals{} : consumer->totals;
}

void SharedSubscription::DrainConsumers(absl::string_view reason) {
  const absl::Time now = context_.clock.Now();
  for (auto& [id, consumer] : consumers_) {
    // What is outstanding goes back at once, not when the client takes its frame.
    share_.ledger().Leave(id, now, /*counted=*/false);
    if (consumer.drain.empty()) consumer.drain = std::string(reason);
  }
}

void SharedSubscription::EndConsumers(const absl::Status& status) {
  const absl::Time now = context_.clock.Now();
  for (auto& [id, consumer] : consumers_) {
    share_.ledger().Leave(id, now, /*counted=*/false);
    consumer.end = status;
  }
}

void SharedSubscription::OnHead() {
  {
    absl::MutexLock lock(&mutex_);
    waiting_at_head_ = false;
  }
  Advance();
}

void SharedSubscription::Collect(Actions& actions) {
  const absl::Time now = context_.clock.Now();
  share_.ledger().Tick(now);
  TakeControlFrames(now, actions);
  if (end_.ok()) {
    Scan(now, actions);
    HandOut(now, actions);
    TakeHeartbeats(now, actions);
    share_.TakeParks();
    if (share_.BecameQuiet()) {
      actions.emplace_back([self = Self()] { self->context_.look(self->name()); });
    }
  }
  const SharedLedger::Counts& counts = share_.ledger().counts();
  series_->redeliveries->Increment(static_cast<double>(counts.redeliveries - counted_.redeliveries));
  series_->missed_deadlines->Increment(static_cast<double>(counts.missed_deadlines - counted_.missed_deadlines));
  counted_ = counts;
  WriteWhatIsDue(actions);
  ArmTimers(now, actions);
}

void SharedSubscription::TakeControlFrames(absl::Time now, Actions& actions) {
  for (auto& [id, consumer] : consumers_) {
    if (!consumer.waits()) continue;
    std::optional<absl::StatusOr<Frame>> frame = ControlFrame(id, consumer, now);
    if (frame.has_value()) Answer(consumer, *std::move(frame), now, actions);
  }
}

std::optional<absl::StatusOr<Frame>> SharedSubscription::ControlFrame(uint64_t id, SharedConsumer& consumer,
                                                                      absl::Time now) {
  if (!consumer.end.ok()) return consumer.end;
  if (!consumer.started) {
    consumer.started = true;
    return MakeStarted(consumer.stream_id);
  }
  if (consumer.drain.empty() && now >= consumer.drain_at) {
    consumer.drain = "age";
    share_.ledger().Leave(id, now, /*counted=*/false);
  }
  if (!consumer.drain.empty()) {
    consumer.end = DrainStatus(consumer.drain);
    return MakeDrain(consumer.drain, "");
  }
  if (consumer.gap.has_value()) {
    v1::SubscribeEventsResponse response;
    *response.mutable_gap() = *std::exchange(consumer.gap, std::nullopt);
    return EncodeFrame(FrameKind::kGap, response);
  }
  return std::nullopt;
}

void SharedSubscription::TakeHeartbeats(absl::Time now, Actions& actions) {
  for (auto& [id, consumer] : consumers_) {
    if (!consumer.waits() || now - consumer.last_frame < consumer.spec.heartbeat_interval) continue;
    const uint64_t head = context_.hub.log().Info().head;
    const uint64_t looked_at =
        std::min(head, share_.ledger().scanned());  // all of it, where other replicas have all partitions
    v1::SubscribeEventsResponse response;
    response.mutable_heartbeat()->set_caught_up(looked_at >= head);
    response.mutable_heartbeat()->set_lag_events(head - looked_at);
    Answer(consumer, EncodeFrame(FrameKind::kHeartbeat, response), now, actions);
  }
}

void SharedSubscription::Answer(SharedConsumer& consumer, absl::StatusOr<Frame> frame, absl::Time now,
                                Actions& actions) {
  if (frame.ok()) consumer.Count(now, frame->events, frame->size_bytes);
  actions.emplace_back([next = std::exchange(consumer.next, nullptr), frame = std::move(frame)]() mutable {
    std::move(next)(std::move(frame));
  });
}

void SharedSubscription::Scan(absl::Time now, Actions& actions) {
  const bool demand = consumers_.WantEvents(share_.ledger());
  if (!demand || reading_ || !MayHandOut()) return;
  if (const std::optional<uint64_t> after = share_.ledger().RefillAfter(); after.has_value()) {
    BeginRead(*after, /*refill=*/true, actions);
    return;
  }
  for (int page = 0; share_.ledger().WantsMore(demand) && !waiting_at_head_; ++page) {
    if (page == kPagesATurn) {
      actions.emplace_back([self = Self()] { self->context_.hub.Post([self] { self->Advance(); }); });
      return;
    }
    const EventHub::View view = context_.hub.Look(share_.ledger().scanned());
    if (view.where == EventHub::View::Where::kAtHead) {
      waiting_at_head_ = context_.hub.WaitAtHead(share_.ledger().scanned(), Self());
    } else if (view.where == EventHub::View::Where::kBehind) {
      BeginRead(share_.ledger().scanned(), /*refill=*/false, actions);
      return;
    } else if (view.page == nullptr) {
      share_.ledger().TakeIn({}, view.head.sequence, now);
    } else {
      const std::vector<FoundEvent> found = SelectFrom(*view.page, share_.ledger().scanned(), selection_);
      if (!found.empty()) pages_.Keep(view.page);
      share_.ledger().TakeIn(found, view.page->through().sequence, now);
    }
  }
}

void SharedSubscription::BeginRead(uint64_t after, bool refill, Actions& actions) {
  reading_ = true;
  actions.emplace_back([self = Self(), after, refill] {
    self->context_.hub.Post([self, after, refill] { self->ReadOn(after, refill); });
  });
}

void SharedSubscription::ReadOn(uint64_t after, bool refill) {
  ReadLimits limits;
  limits.max_events = context_.hub.options().page_events;
  limits.max_bytes = context_.hub.options().page_bytes;
  absl::StatusOr<SelectedRead> read = ReadSelected(context_.hub.log(), after, limits, selection_);
  if (!read.ok() && !HasReason(read.status(), GatewayReason::kCursorExpired)) {
    context_.clock.CallAfter(context_.hub.options().retry_delay, [weak = weak_from_this()] {
      const auto self = std::static_pointer_cast<SharedSubscription>(weak.lock());
      if (self == nullptr) return;
      {
        absl::MutexLock lock(&self->mutex_);
        self->reading_ = false;
      }
      self->Advance();
    });
    return;
  }
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    if (!read.ok()) {
      FallBehind(after);
    } else if (refill) {
      share_.ledger().Refill(read->found, after, read->through);
    } else if (share_.ledger().scanned() >= after) {  // else partitions came in the meantime that are not so far
      share_.ledger().TakeIn(read->found, read->through, context_.clock.Now());
    }
    if (read.ok() && read->page != nullptr) pages_.Keep(std::move(read->page));
    Collect(actions);
  }
  Perform(std::move(actions));
}

void SharedSubscription::FallBehind(uint64_t after) {
  const LogInfo info = context_.hub.log().Info();
  const uint64_t kept_after = std::max(after, info.earliest - 1);
  const v1::Gap gap = NoteGap(after, kept_after);
  share_.ledger().ForgetThrough(kept_after);
  if (consumers_.size() == 0) Grow(untold_gap_, gap);
  consumers_.AddGap(gap);
  TouchRelaxed();
}

void SharedSubscription::HandOut(absl::Time now, Actions& actions) {
  if (!share_.ledger().has_ready() || !MayHandOut()) return;
  const std::vector<SharedLedger::Room> rooms = consumers_.Rooms();
  if (rooms.empty()) return;
  absl::flat_hash_map<uint64_t, SharedBatch> batches;
  for (const Handout& handout : share_.ledger().Spread(rooms, now)) {
    SharedBatch& batch = batches[handout.consumer];
    batch.handouts.push_back(handout);
    SharedDelivery& delivery = batch.deliveries.emplace_back();
    delivery.attempt = handout.attempt;
    if (consumers_.Find(handout.consumer)->spec.include_raw_body) continue;
    std::tie(delivery.page, delivery.index) = pages_.Find(handout.sequence);
  }
  for (auto& [taker, filled] : batches) {
    SharedBatch batch = std::move(filled);
    SharedConsumer& consumer = *consumers_.Find(taker);
    batch.consumer = taker;
    batch.epoch = epoch_;
    batch.raw_body = consumer.spec.include_raw_body;
    if (!batch.complete()) {
      consumer.fetching = true;
      actions.emplace_back([self = Self(), batch = std::move(batch)]() mutable {
        self->context_.hub.Post([self, batch = std::move(batch)]() mutable { self->Fetch(std::move(batch)); });
      });
      continue;
    }
    Deliver(consumer, std::move(batch), now, actions);
  }
}

void SharedSubscription::Deliver(SharedConsumer& consumer, SharedBatch batch, absl::Time now, Actions& actions) {
  // What goes beyond a frame goes back.
  const size_t kept = batch.FitFrame();
  for (size_t i = kept; i < batch.handouts.size(); ++i) {
    share_.ledger().Return(batch.handouts[i].sequence, batch.handouts[i].delivery, absl::InfinitePast(), now);
  }
  batch.handouts.resize(kept);
  batch.deliveries.resize(kept);
  series_->deliveries->Increment(static_cast<double>(kept));
  consumer.Count(now, kept, /*bytes=*/0);
  // The tokens and the frame are made outside the lock.
  actions.emplace_back(
      [self = Self(), next = std::exchange(consumer.next, nullptr), batch = std::move(batch)]() mutable {
        std::move(next)(EncodeWithTokens(batch, self->context_.tokens, self->id()));
      });
}

void SharedSubscription::Fetch(SharedBatch batch) {
  const absl::Status fetched = FetchBatch(context_.hub.log(), batch);
  Complete(std::move(batch), fetched.ok());
}

void SharedSubscription::Complete(SharedBatch batch, bool fetched) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = context_.clock.Now();
    SharedBatch kept;
    std::optional<uint64_t> first_lost;
    if (!end_.ok()) batch.handouts.clear();
    for (size_t i = 0; i < batch.handouts.size(); ++i) {
      const Handout& handout = batch.handouts[i];
      if (!fetched || !MayHandOut()) {
        share_.ledger().Return(handout.sequence, handout.delivery, now + context_.hub.options().retry_delay, now);
      } else if (batch.deliveries[i].page == nullptr) {
        share_.ledger().Lose(handout.sequence, handout.delivery);
        first_lost = std::min(first_lost.value_or(handout.sequence), handout.sequence);
      } else {
        kept.handouts.push_back(handout);
        kept.deliveries.push_back(std::move(batch.deliveries[i]));
      }
    }
    if (first_lost.has_value()) FallBehind(*first_lost - 1);
    batch.handouts = std::move(kept.handouts);
    batch.deliveries = std::move(kept.deliveries);
    if (SharedConsumer* const consumer = consumers_.Find(batch.consumer); consumer != nullptr) {
      consumer->fetching = false;
      // A consumer that is being drained has handed all of it back.
      if (!batch.handouts.empty() && consumer->stays()) Deliver(*consumer, std::move(batch), now, actions);
    }
    Collect(actions);
  }
  Perform(std::move(actions));
}

void SharedSubscription::Acknowledge(const v1::AcknowledgeEventsRequest& request, AcknowledgeCallback done) {
  if (!request.up_to_cursor().empty()) {
    std::move(done)(ModeError("settle each delivery by its ack_token, not by up_to_cursor"));
    return;
  }
  std::vector<std::optional<AckToken>> tokens;
  tokens.reserve(static_cast<size_t>(request.settlements_size()));
  for (const v1::Settlement& settlement : request.settlements()) {
    tokens.push_back(context_.tokens.Decode(id(), settlement.ack_token()));
  }
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    SettledDeliveries settled =
        SettleDeliveries(request, tokens, epoch_, context_.clock.Now(), share_.ledger(), *series_);
    if (settled.to_be_written) {
      WhenDurable([response = std::move(settled.response), done = std::move(done)](absl::Status status) mutable {
        if (status.ok()) {
          std::move(done)(std::move(response));
        } else {
          std::move(done)(std::move(status));
        }
      });
    } else {
      actions.emplace_back([response = std::move(settled.response), done = std::move(done)]() mutable {
        std::move(done)(std::move(response));
      });
    }
    Collect(actions);
  }
  Perform(std::move(actions));
}

state::v1::SubscriptionShare SharedSubscription::ShareRecord() const { return share_.Record(); }

bool SharedSubscription::HasWrites() const { return share_.HasWrites(); }

std::vector<StateWrite> SharedSubscription::TakeFirstWrites() {
  return share_.TakeFirstWrites(assignment_.record().generation(), context_.clock.Now());
}

void SharedSubscription::FirstWritten(bool ok) {
  for (const SharedLedger::ParkOrder& order : share_.FirstWritten(ok)) {
    series_->parked->Increment();
    LogLine(LogLevel::kWarn, "event_parked")
        .Field("subscription", name())
        .Field("sequence", order.sequence)
        .Field("reason", order.reason == v1::PARK_REASON_ATTEMPTS ? "attempts" : "consumer")
        .Field("attempts", order.attempts);
  }
}

std::vector<StateWrite> SharedSubscription::TakeWrites() { return share_.TakeWrites(share_key_); }

bool SharedSubscription::MustBeDurable() const { return share_.MustBeDurable(); }

void SharedSubscription::Written(bool recorded, const std::vector<absl::StatusOr<uint64_t>>& results) {
  share_.Written(recorded, results);
}

void SharedSubscription::FillStats(state::v1::ShareStats& share) {
  const absl::Time now = context_.clock.Now();
  v1::SubscriptionStats& stats = *share.mutable_stats();
  stats.set_lag_events(share_.ledger().Lag(context_.hub.log().Info().head));
  stats.set_outstanding_events(share_.ledger().outstanding());
  if (const absl::Time oldest = share_.ledger().OldestOutstanding(); oldest != absl::InfiniteFuture()) {
    *stats.mutable_oldest_outstanding() =
        TimeUtil::MillisecondsToDuration(std::max<int64_t>(0, absl::ToInt64Milliseconds(now - oldest)));
  }
  stats.set_parked_events(share_.CountParked(now));
  stats.set_consumers(static_cast<uint32_t>(consumers_.size()));
  share.set_floor(share_.ledger().blocks().floor());
}

void SharedSubscription::ArmTimers(absl::Time now, Actions& actions) {
  const absl::Time due = std::min(share_.ledger().NextDue(), consumers_.NextDue());
  if (due >= timer_at_ || due == absl::InfiniteFuture()) return;
  timer_at_ = due;
  Wake(std::max(kShortestTimer, due - now), actions);
}

void SharedSubscription::Wake(absl::Duration delay, Actions& actions) {
  actions.emplace_back([self = Self(), delay, superseded = timer_] {
    if (superseded != 0) self->context_.clock.Cancel(superseded);
    const Clock::TimerId timer = self->context_.clock.CallAfter(delay, [weak = self->weak_from_this()] {
      const auto woken = std::static_pointer_cast<SharedSubscription>(weak.lock());
      if (woken == nullptr) return;
      {
        absl::MutexLock lock(&woken->mutex_);
        woken->timer_at_ = absl::InfiniteFuture();
      }
      woken->Advance();
    });
    absl::MutexLock lock(&self->mutex_);
    self->timer_ = timer;
  });
}

absl::StatusOr<uint64_t> SharedSubscription::ReplayParked(const v1::ReplayParkedEventsRequest& request) {
  const absl::StatusOr<MarkedReplays> marked =
      MarkReplays(context_.state, context_.hub.log(), id(), visibility(), request,
                  [held = held()](uint64_t conversation) { return Contains(held, PartitionOf(conversation)); });
  if (!marked.ok()) return marked.status();
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    for (const state::v1::ParkedRecord& record : marked->records) share_.Replay(record);
    Collect(actions);
  }
  Perform(std::move(actions));
  if (!marked->failure.ok()) return marked->failure;
  return marked->records.size();
}

}  // namespace aulm::gateway
