#include "service/events/event_stream.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMaxBatchBytes = 1 << 20;
// Below this a timer would only spin.
constexpr absl::Duration kShortestTimer = absl::Milliseconds(1);

}  // namespace

EventStream::EventStream(const EventStreamContext& context, StreamSpec spec, std::string id, CloseCallback on_close)
    : context_(context),
      spec_(std::move(spec)),
      id_(std::move(id)),
      epoch_(context.hub.log().Info().epoch),
      on_close_(std::move(on_close)) {}

void EventStream::Start(StartCallback done) {
  if (const std::optional<Position> known = context_.hub.TryResolve(spec_.start); known.has_value()) {
    Admit(*known, std::move(done));
    return;
  }
  context_.hub.Post([self = shared_from_this(), done = std::move(done)]() mutable {
    self->Admit(ResolveStart(self->context_.hub.log(), self->spec_.start), std::move(done));
  });
}

void EventStream::Admit(absl::StatusOr<Position> position, StartCallback done) {
  absl::Status status;
  {
    absl::MutexLock lock(&mutex_);
    if (position.ok()) {
      position_ = *position;
    } else if (HasReason(position.status(), GatewayReason::kCursorExpired)) {
      status = Expire(position.status(), std::get<Cursor>(spec_.start));
    } else {
      status = position.status();
    }
    if (state_ == State::kOver) {
      status = end_;
    } else if (drain_ != DrainReason::kNone) {
      status =
          GatewayError(GatewayReason::kDraining, "the gateway is shutting down: connect to another replica, or later");
    }
    if (status.ok()) {
      state_ = State::kAdmitted;
      const absl::Time now = context_.clock.Now();
      last_frame_ = now;
      drain_at_ = now + context_.options.max_age * (0.8 + 0.2 * context_.random.Uniform());
      ArmTimer(now);
    } else {
      End(status);
    }
  }
  std::move(done)(std::move(status));
}

void EventStream::Next(FrameCallback done) {
  {
    absl::MutexLock lock(&mutex_);
    next_ = std::move(done);
  }
  Advance();
}

void EventStream::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    if (drain_ == DrainReason::kNone) drain_ = DrainReason::kShutdown;
  }
  Advance();
}

void EventStream::Close() {
  FrameCallback dropped;
  CloseCallback on_close;
  {
    absl::MutexLock lock(&mutex_);
    dropped = std::exchange(next_, nullptr);
    on_close = std::exchange(on_close_, nullptr);
    if (state_ != State::kOver) End(absl::CancelledError("the stream was closed"));
    if (timer_ != 0) context_.clock.Cancel(timer_);
    timer_ = 0;
  }
  context_.hub.StopWaiting(shared_from_this());
  if (on_close) on_close(this);
}

EventStream::Totals EventStream::totals() const {
  absl::MutexLock lock(&mutex_);
  Totals totals = totals_;
  totals.sequence = position_.sequence;
  return totals;
}

uint64_t EventStream::LagEvents() const {
  const uint64_t head = context_.hub.log().Info().head;
  absl::MutexLock lock(&mutex_);
  if (state_ != State::kAdmitted && state_ != State::kStreaming) return 0;
  return head - std::min(head, position_.sequence);
}

void EventStream::OnHead() {
  {
    absl::MutexLock lock(&mutex_);
    waiting_at_head_ = false;
  }
  Advance();
}

void EventStream::Advance() {
  FrameCallback next;
  std::optional<absl::StatusOr<Frame>> frame;
  {
    absl::MutexLock lock(&mutex_);
    if (!next_) return;
    const absl::Time now = context_.clock.Now();
    frame = TakeFrame(now);
    if (!frame.has_value()) return;
    next = std::exchange(next_, nullptr);
    if (frame->ok()) {
      last_frame_ = now;
      ++totals_.frames;
      totals_.events += (*frame)->events;
      totals_.bytes += (*frame)->size_bytes;
    }
  }
  if (frame->ok()) context_.metrics.CountFrame(**frame);
  std::move(next)(*std::move(frame));
}

std::optional<absl::StatusOr<Frame>> EventStream::TakeFrame(absl::Time now) {
  if (state_ == State::kOver) return end_;
  if (drain_ == DrainReason::kNone && now >= drain_at_) drain_ = DrainReason::kAge;
  if (state_ == State::kAdmitted) return TakeStarted();
  if (drain_ != DrainReason::kNone) return TakeDrain();
  if (!gap_.has_value()) {
    if (std::optional<Frame> batch = TakeBatch(); batch.has_value()) return *std::move(batch);
  }
  if (gap_.has_value()) return TakeGap();
  if (state_ == State::kOver) return end_;
  if (now - last_frame_ >= spec_.heartbeat_interval) return TakeHeartbeat();
  return std::nullopt;
}

std::optional<Frame> EventStream::TakeBatch() {
  if (yielding_) return std::nullopt;
  BatchFrame batch(spec_.max_batch_events, kMaxBatchBytes);
  size_t scan = context_.options.scan_budget;
  while (page_ != nullptr || NextPage(batch.events() == 0)) {
    if (!TakeFromPage(batch, scan)) break;
    if (scan > 0) continue;
    if (batch.events() == 0) {
      yielding_ = true;
      context_.hub.Post([self = shared_from_this()] { self->Resume(); });
    }
    break;
  }
  if (batch.events() == 0) return std::nullopt;
  return batch.Finish(CursorAt(position_));
}

bool EventStream::NextPage(bool frame_is_empty) {
  while (!waiting_at_head_ && !reading_) {
    EventHub::View view = context_.hub.Look(position_.sequence);
    if (view.where == EventHub::View::Where::kAtHead) {
      if (!frame_is_empty) return false;
      waiting_at_head_ = context_.hub.WaitAtHead(position_.sequence, shared_from_this());
    } else if (view.where == EventHub::View::Where::kBehind || spec_.include_raw_body) {
      BeginRead();
    } else if (view.page == nullptr) {
      position_ = view.head;
    } else {
      page_ = std::move(view.page);
      page_index_ = page_->FirstAfter(position_.sequence);
      page_is_selected_ = spec_.selection.selects_all();
      return true;
    }
  }
  return false;
}

bool EventStream::TakeFromPage(BatchFrame& batch, size_t& scan) {
  const std::vector<EncodedEvent>& events = page_->events();
  const auto move_to = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    position_ = {events[page_index_].sequence, events[page_index_].fingerprint};
    ++page_index_;
  };
  if (page_is_selected_ && page_index_ < events.size()) {
    const size_t taken = batch.AddRun(page_, page_index_, events.size());
    if (taken == 0) return false;
    page_index_ += taken - 1;
    move_to();
  }
  for (; !page_is_selected_ && page_index_ < events.size() && scan > 0; --scan) {
    if (spec_.selection.Selects(page_->attributes(page_index_)) && !batch.Add(page_, page_index_)) return false;
    move_to();
  }
  if (page_index_ < events.size()) return scan == 0;
  if (page_->through().sequence > position_.sequence) position_ = page_->through();
  page_.reset();
  return true;
}

void EventStream::BeginRead() {
  reading_ = true;
  context_.hub.Post([self = shared_from_this(), after = position_.sequence] { self->Read(after); });
}

void EventStream::Read(uint64_t after) {
  {
    absl::MutexLock lock(&mutex_);
    if (state_ == State::kOver) return;
  }
  absl::StatusOr<std::shared_ptr<const EncodedPage>> page = ReadPage(after);
  context_.metrics.catch_up_reads->Increment();
  {
    absl::MutexLock lock(&mutex_);
    if (state_ == State::kOver) return;
    TakeIn(std::move(page));
  }
  Advance();
}

absl::StatusOr<std::shared_ptr<const EncodedPage>> EventStream::ReadPage(uint64_t after) const {
  EventLog& log = context_.hub.log();
  ReadLimits limits;
  limits.max_events = context_.hub.options().page_events;
  limits.max_bytes = context_.hub.options().page_bytes;
  limits.raw_body = spec_.include_raw_body;
  // What is stored before a read begins, the read sees.
  const uint64_t head = log.Info().head;
  const absl::StatusOr<EventPage> page = ReadOnward(log, after, limits);
  if (!page.ok()) return page.status();
  if (!page->events.empty()) return EncodedPage::EncodeSelected(epoch_, after, *page, spec_.selection);
  if (!page->end_of_log) return absl::UnavailableError("the event log gave an empty page before its end");
  return EncodedPage::Nothing(after, std::max(after, head));
}

void EventStream::TakeIn(absl::StatusOr<std::shared_ptr<const EncodedPage>> page) {
  if (page.ok()) {
    reading_ = false;
    page_ = *std::move(page);
    page_is_selected_ = true;
    page_index_ = 0;
  } else if (HasReason(page.status(), GatewayReason::kCursorExpired)) {
    reading_ = false;
    if (const absl::Status status = Expire(page.status(), CursorAt(position_)); !status.ok()) End(status);
  } else {
    // The store is away. The stream lives on and says its lag; it stays "reading" until the pause is over.
    context_.metrics.read_failures->Increment();
    context_.clock.CallAfter(context_.hub.options().retry_delay, [weak = weak_from_this()] {
      if (const auto self = weak.lock(); self != nullptr) self->Resume();
    });
  }
}

void EventStream::Resume() {
  {
    absl::MutexLock lock(&mutex_);
    reading_ = false;
    yielding_ = false;
  }
  Advance();
}

absl::Status EventStream::Expire(const absl::Status& expired, const Cursor& from) {
  context_.metrics.expired->Increment();
  if (spec_.on_expired == OnExpired::kFail) return expired;
  const LogInfo info = context_.hub.log().Info();
  position_ = spec_.on_expired == OnExpired::kEarliest ? EarliestPosition(info) : context_.hub.head();
  gap_.emplace();
  gap_->set_from_cursor(EncodeCursor(from));
  gap_->set_to_cursor(EncodeCursor(CursorAt(position_)));
  gap_->set_reason(std::string(expired.message().substr(0, expired.message().find(';'))));
  return absl::OkStatus();
}

Frame EventStream::TakeStarted() {
  state_ = State::kStreaming;
  const Position head = context_.hub.head();
  v1::SubscribeEventsResponse response;
  v1::Started& started = *response.mutable_started();
  started.set_stream_id(id_);
  started.set_earliest_cursor(EncodeCursor(CursorAt(EarliestPosition(context_.hub.log().Info()))));
  // A start that was found by a read of the log may be ahead of the ring.
  started.set_head_cursor(EncodeCursor(CursorAt(position_.sequence > head.sequence ? position_ : head)));
  return EncodeFrame(FrameKind::kStarted, response);
}

Frame EventStream::TakeGap() {
  v1::SubscribeEventsResponse response;
  *response.mutable_gap() = *std::exchange(gap_, std::nullopt);
  return EncodeFrame(FrameKind::kGap, response);
}

Frame EventStream::TakeHeartbeat() {
  const uint64_t head = context_.hub.log().Info().head;
  v1::SubscribeEventsResponse response;
  v1::Heartbeat& heartbeat = *response.mutable_heartbeat();
  heartbeat.set_resume_cursor(EncodeCursor(CursorAt(position_)));
  heartbeat.set_caught_up(position_.sequence >= head);
  heartbeat.set_lag_events(head - std::min(head, position_.sequence));
  return EncodeFrame(FrameKind::kHeartbeat, response);
}

Frame EventStream::TakeDrain() {
  const bool for_age = drain_ == DrainReason::kAge;
  // After a shutdown every client comes at once, so they are spread out; an old stream has its place taken up at once.
  const absl::Duration base = for_age ? absl::Milliseconds(100) : context_.options.reconnect_after;
  const absl::Duration wait = base * (0.5 + context_.random.Uniform());
  const std::string reason = for_age ? "age" : "shutdown";
  v1::SubscribeEventsResponse response;
  v1::Drain& drain = *response.mutable_drain();
  drain.set_reason(reason);
  *drain.mutable_reconnect_after() =
      google::protobuf::util::TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(wait));
  drain.set_resume_cursor(EncodeCursor(CursorAt(position_)));
  context_.metrics.CountDrain(for_age);
  absl::Status status = GatewayError(
      GatewayReason::kDraining,
      absl::StrCat("the stream was drained (", reason, "): reconnect with after_cursor = the last resume_cursor"));
  SetRetryDelay(status, wait);
  End(std::move(status));
  return EncodeFrame(FrameKind::kDrain, response);
}

void EventStream::ArmTimer(absl::Time now) {
  absl::Time due = std::min(last_frame_ + spec_.heartbeat_interval, drain_at_);
  // While a frame is on its way nothing can be done about what is due; when it has gone, Next finds it.
  if (!next_ && due <= now) due = now + spec_.heartbeat_interval;
  const absl::Duration delay = std::max(kShortestTimer, due - now);
  timer_ = context_.clock.CallAfter(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self != nullptr) self->OnTimer();
  });
}

void EventStream::OnTimer() {
  Advance();
  absl::MutexLock lock(&mutex_);
  timer_ = 0;
  if (state_ != State::kOver) ArmTimer(context_.clock.Now());
}

void EventStream::End(absl::Status status) {
  state_ = State::kOver;
  end_ = std::move(status);
  page_.reset();
  gap_.reset();
}

Cursor EventStream::CursorAt(const Position& position) const {
  return {epoch_, position.sequence, position.fingerprint};
}

}  // namespace aulm::gateway
