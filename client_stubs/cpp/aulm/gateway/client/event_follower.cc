#include "aulm/gateway/client/event_follower.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/frame_stream.h"

namespace aulm::gateway::client {
namespace {

using Clock = std::chrono::steady_clock;

// What the gateway uses where the request says nothing.
constexpr absl::Duration kUsualHeartbeat = absl::Seconds(20);
constexpr int kSilentHeartbeats = 3;

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
}

absl::Duration LongestSilence(const v1::SubscribeEventsRequest& request) {
  const absl::Duration asked = ToDuration(request.heartbeat_interval());
  return kSilentHeartbeats * (asked > absl::ZeroDuration() ? asked : kUsualHeartbeat);
}

// True for what another try with the same request cannot mend.
bool IsFinal(grpc::StatusCode code) {
  switch (code) {
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::NOT_FOUND:
    case grpc::StatusCode::ALREADY_EXISTS:
    case grpc::StatusCode::PERMISSION_DENIED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::FAILED_PRECONDITION:
    case grpc::StatusCode::OUT_OF_RANGE:
    case grpc::StatusCode::UNIMPLEMENTED:
      return true;
    default:
      return false;
  }
}

bool StartsAtLatest(const v1::SubscribeEventsRequest& request) {
  return request.start_case() == v1::SubscribeEventsRequest::START_NOT_SET ||
         (request.has_position() && request.position() != v1::START_POSITION_EARLIEST);
}

}  // namespace

EventFollower::EventFollower(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options)
    : stub_(v1::EventService::NewStub(channel)),
      options_(std::move(options)),
      longest_silence_(LongestSilence(options_.request)),
      backoff_(options_.least_backoff, options_.most_backoff) {}

EventFollower::~EventFollower() { CloseStream(); }

std::optional<v1::Event> EventFollower::Next() {
  MarkHandled();
  if (!started_ && LoadCursor()) started_ = true;
  while (!error_.has_value() && !stopped()) {
    if (next_delivery_ < batch_.deliveries_size()) return HandOut();
    TakeFrame();
  }
  CloseStream();
  if (const absl::Status saved = Save(); !saved.ok() && options_.on_cursor_not_saved) {
    options_.on_cursor_not_saved(saved);
  }
  return std::nullopt;
}

absl::Status EventFollower::Commit() {
  if (!handed_out_.empty()) handled_ = std::exchange(handed_out_, "");
  return Save();
}

void EventFollower::Stop() {
  std::shared_ptr<FrameStream> stream;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    stream = stream_;
  }
  if (stream != nullptr) stream->Cancel();
}

bool EventFollower::stopped() const {
  absl::MutexLock lock(&mu_);
  return stopped_;
}

bool EventFollower::LoadCursor() {
  if (options_.cursor_store == nullptr) return true;
  absl::StatusOr<std::string> cursor = options_.cursor_store->Load();
  if (!cursor.ok()) {
    error_.emplace();
    error_->code = static_cast<grpc::StatusCode>(cursor.status().code());
    error_->message = std::string(cursor.status().message());
    return false;
  }
  position_ = handled_ = saved_ = *std::move(cursor);
  return true;
}

void EventFollower::Connect() {
  v1::SubscribeEventsRequest request = options_.request;
  if (!position_.empty()) request.set_after_cursor(position_);
  std::shared_ptr<FrameStream> stream = std::make_shared<FrameStream>(*stub_, std::move(request));
  progressed_ = false;
  absl::MutexLock lock(&mu_);
  stream_ = std::move(stream);
}

// Waits for one frame, or for the end of the stream, or for a time that is due; Next then looks where things stand.
void EventFollower::TakeFrame() {
  std::shared_ptr<FrameStream> stream;
  {
    absl::MutexLock lock(&mu_);
    stream = stream_;
  }
  if (stream == nullptr) return Connect();
  const absl::Duration patience = std::min(longest_silence_ - stream->Silence(), UntilSave());
  if (std::optional<v1::SubscribeEventsResponse> frame = stream->Take(patience)) return Accept(*std::move(frame));
  SaveIfDue();
  if (stopped()) return;
  if (const std::optional<grpc::Status> end = stream->end()) {
    const CallError error = ToCallError(*end);
    if (IsFinal(error.code)) {
      error_ = error;
    } else {
      Interrupted(error, error.retry_after.value_or(absl::ZeroDuration()));
    }
  } else if (stream->Silence() >= longest_silence_) {
    CallError error;
    error.code = grpc::StatusCode::UNAVAILABLE;
    error.message = absl::StrCat("the gateway was silent for ", absl::FormatDuration(longest_silence_));
    Interrupted(error, absl::ZeroDuration());
  }
}

void EventFollower::Accept(v1::SubscribeEventsResponse frame) {
  if (!frame.has_started() && !frame.has_drain()) progressed_ = true;
  switch (frame.frame_case()) {
    case v1::SubscribeEventsResponse::kStarted:
      AcceptStarted(frame.started());
      break;
    case v1::SubscribeEventsResponse::kEventBatch:
      batch_ = std::move(*frame.mutable_event_batch());
      next_delivery_ = 0;
      if (!batch_.resume_cursor().empty()) position_ = batch_.resume_cursor();
      if (batch_.deliveries().empty()) handled_ = position_;
      break;
    case v1::SubscribeEventsResponse::kHeartbeat:
      MoveTo(frame.heartbeat().resume_cursor());
      if (options_.on_heartbeat) options_.on_heartbeat(frame.heartbeat());
      break;
    case v1::SubscribeEventsResponse::kGap:
      MoveTo(frame.gap().to_cursor());
      if (options_.on_gap) options_.on_gap(frame.gap());
      break;
    case v1::SubscribeEventsResponse::kDrain: {
      MoveTo(frame.drain().resume_cursor());
      CallError error;
      error.code = grpc::StatusCode::UNAVAILABLE;
      error.reason = "DRAINING";
      error.message = frame.drain().reason();
      Interrupted(error, ToDuration(frame.drain().reconnect_after()));
      break;
    }
    case v1::SubscribeEventsResponse::FRAME_NOT_SET:
      break;  // of a newer gateway: a sign of life
  }
}

void EventFollower::AcceptStarted(const v1::Started& started) {
  // Held on to, or an interruption before the first event would start at a newer "latest" and skip what came between.
  if (position_.empty() && StartsAtLatest(options_.request)) MoveTo(started.head_cursor());
  if (options_.on_started) options_.on_started(started);
}

// To where the gateway says that a stream may go on; no event of an earlier frame is left.
void EventFollower::MoveTo(const std::string& cursor) {
  if (cursor.empty()) return;
  position_ = handled_ = cursor;
}

v1::Event EventFollower::HandOut() {
  v1::Event event = std::move(*batch_.mutable_deliveries(next_delivery_++)->mutable_event());
  const bool last = next_delivery_ == batch_.deliveries_size();
  handed_out_ = last && !batch_.resume_cursor().empty() ? batch_.resume_cursor() : event.cursor();
  return event;
}

void EventFollower::MarkHandled() {
  if (handed_out_.empty()) return;
  handled_ = std::exchange(handed_out_, "");
  SaveIfDue();
}

// Leaves the stream, and waits before the next: at least as long as asked, and longer with each stream that came to
// nothing.
void EventFollower::Interrupted(const CallError& error, absl::Duration least_wait) {
  CloseStream();
  if (progressed_) backoff_.Reset();
  const bool asked_to_come_back = progressed_ && error.reason == "DRAINING";
  const absl::Duration told = backoff_.Spread(least_wait);
  const absl::Duration wait = asked_to_come_back ? told : std::max(told, backoff_.Next());
  if (options_.on_interrupted) options_.on_interrupted(error, wait);
  if (const absl::Status saved = Save(); !saved.ok() && options_.on_cursor_not_saved) {
    options_.on_cursor_not_saved(saved);
  }
  absl::MutexLock lock(&mu_);
  mu_.AwaitWithTimeout(absl::Condition(this, &EventFollower::Stopped), wait);
}

void EventFollower::CloseStream() {
  std::shared_ptr<FrameStream> stream;
  {
    absl::MutexLock lock(&mu_);
    stream.swap(stream_);
  }
  stream.reset();  // cancels it, outside of the lock
}

absl::Duration EventFollower::UntilSave() const {
  if (options_.cursor_store == nullptr || handled_ == saved_) return absl::InfiniteDuration();
  return options_.cursor_save_interval - absl::FromChrono(Clock::now() - saved_at_);
}

void EventFollower::SaveIfDue() {
  if (UntilSave() > absl::ZeroDuration()) return;
  if (const absl::Status saved = Save(); !saved.ok() && options_.on_cursor_not_saved) {
    options_.on_cursor_not_saved(saved);
  }
}

absl::Status EventFollower::Save() {
  if (options_.cursor_store == nullptr || handled_ == saved_ || handled_.empty()) return absl::OkStatus();
  saved_at_ = Clock::now();  // also after a failure: it is not tried again at once
  if (const absl::Status status = options_.cursor_store->Save(handled_); !status.ok()) return status;
  saved_ = handled_;
  return absl::OkStatus();
}

}  // namespace aulm::gateway::client
