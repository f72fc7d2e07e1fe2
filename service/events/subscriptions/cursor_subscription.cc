#include "service/events/subscriptions/cursor_subscription.h"

#include <algorithm>
#include <utility>

#include "service/base/status_details.h"
#include "service/events/event_filter.h"

namespace aulm::gateway {

CursorSubscription::CursorSubscription(const SubscriptionContext& context, const state::v1::SubscriptionRecord& record)
    : DurableSubscription(context, record) {}

std::shared_ptr<CursorSubscription> CursorSubscription::Self() {
  return std::static_pointer_cast<CursorSubscription>(shared_from_this());
}

void CursorSubscription::Reserve(PartitionSet, const ShareContent& content,
                                 const std::vector<state::v1::ParkedRecord>&) {
  absl::MutexLock lock(&mutex_);
  acknowledged_ = {content.record.floor(), content.record.fingerprint()};
  fence_ = content.record.fence();
  delivered_ = content.record.delivered();
  TouchRelaxed();
}

void CursorSubscription::Hold(PartitionSet) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    held_ = true;
    leaving_ = false;
    if (forced_ != 0) Fence();
    Collect(actions);
  }
  Perform(std::move(actions));
}

PartitionSet CursorSubscription::Withhold(PartitionSet) {
  Actions actions;
  bool quiet;
  {
    absl::MutexLock lock(&mutex_);
    leaving_ = true;
    if (active_ != 0) {
      Consumer& fenced = consumers_.at(active_);
      if (fenced.drain.empty()) fenced.drain = "taken over";
      Detach(active_, fenced, actions);
    }
    quiet = held_;
    Collect(actions);
  }
  Perform(std::move(actions));
  return quiet ? kAllPartitions : kNoPartitions;
}

void CursorSubscription::Resume(PartitionSet) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    if (!std::exchange(leaving_, false)) return;
    Collect(actions);
  }
  Perform(std::move(actions));
}

ShareContent CursorSubscription::ContentOf(PartitionSet) {
  absl::MutexLock lock(&mutex_);
  ShareContent content;
  content.record = ShareRecord();
  content.part = SharedLedger::Part(content.record.floor());
  return content;
}

void CursorSubscription::Forget(PartitionSet) {
  absl::MutexLock lock(&mutex_);
  held_ = false;
  leaving_ = false;
}

PartitionSet CursorSubscription::held() const {
  absl::MutexLock lock(&mutex_);
  return held_ ? kAllPartitions : kNoPartitions;
}

size_t CursorSubscription::consumers() const {
  absl::MutexLock lock(&mutex_);
  return static_cast<size_t>(std::count_if(consumers_.begin(), consumers_.end(), [](const auto& entry) {
    return entry.second.drain.empty() && entry.second.end.ok();
  }));
}

bool CursorSubscription::wants_by_force() const {
  absl::MutexLock lock(&mutex_);
  return !held_ && consumers_.contains(forced_);
}

void CursorSubscription::Fence() {
  fence_ = context_.hub.log().Info().head;
  delivered_ = 0;
  TouchRelaxed();
}

absl::Status CursorSubscription::CheckMode(const ConsumerSpec& spec) const {
  if (spec.max_outstanding_events.has_value()) return ModeError("max_outstanding_events is of mode SHARED");
  return absl::OkStatus();
}

uint64_t CursorSubscription::Join(const ConsumerSpec& spec, const std::string& stream_id) {
  Actions actions;
  uint64_t id;
  {
    absl::MutexLock lock(&mutex_);
    id = ++last_consumer_;
    Consumer& consumer = consumers_[id];
    consumer.spec = spec;
    consumer.stream_id = stream_id;
    consumer.last_frame = context_.clock.Now();
    consumer.end = end_;
    if (spec.take_over && end_.ok()) {
      forced_ = id;  // before those that wait already
      if (active_ != 0) {
        Consumer& fenced = consumers_.at(active_);
        if (fenced.drain.empty()) fenced.drain = "taken over";
        Detach(active_, fenced, actions);
        Fence();
      }
    }
    Collect(actions);
  }
  Perform(std::move(actions));
  context_.look(name());
  return id;
}

void CursorSubscription::Next(uint64_t id, FrameSource::FrameCallback done) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = consumers_.find(id);
    if (found == consumers_.end()) return;
    found->second.next = std::move(done);
    Collect(actions);
  }
  Perform(std::move(actions));
}

void CursorSubscription::LeaveConsumer(uint64_t id) {
  FrameSource::FrameCallback dropped;
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = consumers_.find(id);
    if (found == consumers_.end()) return;
    dropped = std::move(found->second.next);
    Detach(id, found->second, actions);
    consumers_.erase(found);
    Collect(actions);
  }
  Perform(std::move(actions));
  context_.look(name());
}

FrameSource::Totals CursorSubscription::TotalsOf(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = consumers_.find(id);
  return found == consumers_.end() ? FrameSource::Totals{} : found->second.totals;
}

void CursorSubscription::DrainConsumers(absl::string_view reason) {
  for (auto& [id, consumer] : consumers_) {
    if (consumer.drain.empty()) consumer.drain = std::string(reason);
  }
}

void CursorSubscription::EndConsumers(const absl::Status& status) {
  for (auto& [id, consumer] : consumers_) consumer.end = status;
}

void CursorSubscription::Detach(uint64_t id, Consumer& consumer, Actions& actions) {
  if (consumer.log != nullptr) {
    actions.emplace_back([log = std::move(consumer.log)] { log->Close(); });
    consumer.log = nullptr;
  }
  consumer.held_back.reset();
  if (active_ == id) active_ = 0;
}

void CursorSubscription::Activate(Actions& actions) {
  if (!held_ || leaving_ || !MayHandOut()) return;
  if (active_ == 0) {
    const auto waits = [](const auto& entry) { return entry.second.drain.empty() && entry.second.end.ok(); };
    auto first = consumers_.find(forced_);
    if (first == consumers_.end() || !waits(*first)) {
      first = std::find_if(consumers_.begin(), consumers_.end(), waits);
    }
    if (first == consumers_.end()) return;
    active_ = first->first;
    forced_ = 0;
  }
  Consumer& consumer = consumers_.at(active_);
  if (consumer.log != nullptr || !consumer.drain.empty() || !consumer.end.ok()) return;
  StreamSpec spec;
  spec.start = Cursor{log_epoch_, acknowledged_.sequence, acknowledged_.fingerprint};
  spec.selection = selection_;
  spec.max_batch_events = consumer.spec.max_batch_events;
  spec.heartbeat_interval = consumer.spec.heartbeat_interval;
  spec.on_expired = OnExpired::kEarliest;
  spec.include_raw_body = consumer.spec.include_raw_body;
  consumer.log =
      std::make_shared<EventStream>(context_.streams, std::move(spec), consumer.stream_id, [](const EventStream*) {});
  actions.emplace_back([self = Self(), id = active_, log = consumer.log] {
    log->Start([self, id](absl::Status status) { self->OnLogStarted(id, std::move(status)); });
  });
}

void CursorSubscription::OnLogStarted(uint64_t id, absl::Status status) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = consumers_.find(id);
    if (found == consumers_.end() || found->second.log == nullptr) return;
    Consumer& consumer = found->second;
    if (!status.ok()) {
      consumer.end = std::move(status);
      Detach(id, consumer, actions);
    } else {
      // Its Started frame: the consumer has had one.
      actions.emplace_back([self = Self(), id, log = consumer.log] {
        log->Next([self, id](const absl::StatusOr<Frame>& frame) {
          Actions more;
          {
            absl::MutexLock inner(&self->mutex_);
            const auto known = self->consumers_.find(id);
            if (known == self->consumers_.end()) return;
            if (!frame.ok()) known->second.end = frame.status();
            known->second.log_ready = true;
            self->Collect(more);
          }
          Perform(std::move(more));
        });
      });
    }
    Collect(actions);
  }
  Perform(std::move(actions));
}

void CursorSubscription::OnLogFrame(uint64_t id, absl::StatusOr<Frame> frame) {
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = consumers_.find(id);
    if (found == consumers_.end() || found->second.log == nullptr || !found->second.next) return;
    if (frame.ok() && frame->kind == FrameKind::kEventBatch && !MayHandOut()) {
      found->second.held_back = *std::move(frame);
    } else {
      TakeLogFrame(id, found->second, std::move(frame), actions);
    }
    Collect(actions);
  }
  Perform(std::move(actions));
}

void CursorSubscription::TakeLogFrame(uint64_t id, Consumer& consumer, absl::StatusOr<Frame> frame, Actions& actions) {
  consumer.log_asked = false;
  if (frame.ok() && frame->kind == FrameKind::kGap) {
    NoteGap(acknowledged_.sequence, context_.hub.log().Info().earliest - 1);
  }
  if (frame.ok() && frame->kind == FrameKind::kEventBatch) {
    delivered_ = std::max(delivered_, consumer.log->totals().sequence);
    series_->deliveries->Increment(static_cast<double>(frame->events));
  }
  if (frame.ok()) consumer.totals.sequence = consumer.log->totals().sequence;
  if (!frame.ok()) {
    consumer.end = frame.status();
    Detach(id, consumer, actions);
  }
  Answer(consumer, std::move(frame), actions);
}

void CursorSubscription::Answer(Consumer& consumer, absl::StatusOr<Frame> frame, Actions& actions) {
  if (frame.ok()) {
    consumer.last_frame = context_.clock.Now();
    ++consumer.totals.frames;
    consumer.totals.events += frame->events;
    consumer.totals.bytes += frame->size_bytes;
  }
  actions.emplace_back([next = std::exchange(consumer.next, nullptr), frame = std::move(frame)]() mutable {
    std::move(next)(std::move(frame));
  });
}

void CursorSubscription::Collect(Actions& actions) {
  if (end_.ok()) Activate(actions);
  const absl::Time now = context_.clock.Now();
  for (auto& [id, consumer] : consumers_) {
    if (!consumer.next) continue;
    if (!consumer.end.ok()) {
      Detach(id, consumer, actions);
      Answer(consumer, consumer.end, actions);
    } else if (!consumer.started) {
      consumer.started = true;
      Answer(consumer, MakeStarted(consumer.stream_id), actions);
    } else if (!consumer.drain.empty()) {
      Detach(id, consumer, actions);
      consumer.end = DrainStatus(consumer.drain);
      Answer(consumer, MakeDrain(consumer.drain, CursorAt(acknowledged_)), actions);
    } else if (untold_gap_.has_value() && id == active_) {
      v1::SubscribeEventsResponse response;
      *response.mutable_gap() = *std::exchange(untold_gap_, std::nullopt);
      Answer(consumer, EncodeFrame(FrameKind::kGap, response), actions);
    } else if (consumer.held_back.has_value() && MayHandOut()) {
      TakeLogFrame(id, consumer, *std::exchange(consumer.held_back, std::nullopt), actions);
    } else if (consumer.log_ready && consumer.log != nullptr && !consumer.held_back.has_value()) {
      if (consumer.log_asked) continue;
      consumer.log_asked = true;
      actions.emplace_back([self = Self(), asking = id, log = consumer.log] {
        log->Next([self, asking](absl::StatusOr<Frame> frame) { self->OnLogFrame(asking, std::move(frame)); });
      });
    } else if (now - consumer.last_frame >= consumer.spec.heartbeat_interval) {
      const uint64_t head = context_.hub.log().Info().head;
      v1::SubscribeEventsResponse response;
      response.mutable_heartbeat()->set_resume_cursor(CursorAt(acknowledged_));
      response.mutable_heartbeat()->set_caught_up(acknowledged_.sequence >= head);
      response.mutable_heartbeat()->set_lag_events(head - std::min(head, acknowledged_.sequence));
      Answer(consumer, EncodeFrame(FrameKind::kHeartbeat, response), actions);
    }
  }
  if (active_ == 0 && end_.ok()) Activate(actions);
  WriteWhatIsDue(actions);
  ArmTimer(actions);
}

void CursorSubscription::ArmTimer(Actions& actions) {
  if (timer_armed_) return;
  absl::Time due = absl::InfiniteFuture();
  for (const auto& [id, consumer] : consumers_) {
    if (consumer.next && (!consumer.log_ready || consumer.held_back.has_value())) {
      due = std::min(due, consumer.last_frame + consumer.spec.heartbeat_interval);
    }
  }
  if (due == absl::InfiniteFuture()) return;
  timer_armed_ = true;
  const absl::Duration delay = std::max(absl::Milliseconds(1), due - context_.clock.Now());
  actions.emplace_back([self = Self(), delay] {
    self->context_.clock.CallAfter(delay, [weak = self->weak_from_this()] {
      const auto woken = std::static_pointer_cast<CursorSubscription>(weak.lock());
      if (woken == nullptr) return;
      {
        absl::MutexLock lock(&woken->mutex_);
        woken->timer_armed_ = false;
      }
      woken->Advance();
    });
  });
}

void CursorSubscription::Acknowledge(const v1::AcknowledgeEventsRequest& request, AcknowledgeCallback done) {
  if (request.settlements_size() > 0) {
    std::move(done)(ModeError("acknowledge by up_to_cursor, not by settlements"));
    return;
  }
  const absl::StatusOr<Cursor> cursor = DecodeCursor(request.up_to_cursor());
  if (!cursor.ok()) {
    std::move(done)(cursor.status());
    return;
  }
  if (const std::optional<Position> known = context_.hub.TryResolve(*cursor); known.has_value()) {
    Advanced(*known, std::move(done));
    return;
  }
  context_.hub.Post([self = Self(), cursor = *cursor, done = std::move(done)]() mutable {
    self->Advanced(ResolveCursor(self->context_.hub.log(), cursor), std::move(done));
  });
}

void CursorSubscription::Advanced(const absl::StatusOr<Position>& position, AcknowledgeCallback done) {
  if (!position.ok()) {
    std::move(done)(position.status());
    return;
  }
  Actions actions;
  {
    absl::MutexLock lock(&mutex_);
    if (held_ && !leaving_) {  // else it would be answered, and not be in what the next owner gets
      AdvanceTo(*position, std::move(done));
    } else {
      actions.emplace_back(
          [done = std::move(done), moved = DrainStatus("moved")]() mutable { std::move(done)(moved); });
    }
    Collect(actions);
  }
  Perform(std::move(actions));
}

void CursorSubscription::AdvanceTo(const Position& position, AcknowledgeCallback done) {
  const bool of_an_earlier_one = position.sequence > delivered_ && position.sequence <= fence_;
  if (of_an_earlier_one) {
    series_->stale->Increment();
  } else if (position.sequence > acknowledged_.sequence) {
    acknowledged_ = position;
    series_->acknowledged->Increment();
  }
  v1::AcknowledgeEventsResponse response;
  response.set_acknowledged_cursor(CursorAt(acknowledged_));
  WhenDurable([response = std::move(response), done = std::move(done)](absl::Status status) mutable {
    if (status.ok()) {
      std::move(done)(std::move(response));
    } else {
      std::move(done)(std::move(status));
    }
  });
}

state::v1::SubscriptionShare CursorSubscription::ShareRecord() const {
  state::v1::SubscriptionShare record;
  record.set_floor(acknowledged_.sequence);
  record.set_fingerprint(acknowledged_.fingerprint);
  if (fence_ > acknowledged_.sequence) {
    record.set_fence(fence_);
    record.set_delivered(delivered_);
  }
  return record;
}

void CursorSubscription::FillStats(state::v1::ShareStats& share) {
  const uint64_t head = context_.hub.log().Info().head;
  v1::SubscriptionStats& stats = *share.mutable_stats();
  stats.set_consumers(static_cast<uint32_t>(consumers_.size()));
  if (held_) stats.set_lag_events(head - std::min(head, acknowledged_.sequence));
  share.set_floor(held_ ? acknowledged_.sequence : UINT64_MAX);
  share.set_fingerprint(acknowledged_.fingerprint);
}

}  // namespace aulm::gateway
