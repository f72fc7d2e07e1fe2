#include "aulm/gateway/client/frame_stream.h"

#include <utility>

namespace aulm::gateway::client {
namespace {

using Clock = std::chrono::steady_clock;

// One that waits and one that arrives, beside the one that is taken apart: enough to keep the connection busy.
constexpr size_t kMostWaitingFrames = 2;

}  // namespace

FrameStream::FrameStream(v1::EventService::StubInterface& stub, v1::SubscribeEventsRequest request)
    : request_(std::move(request)), reading_since_(Clock::now()) {
  stub.async()->SubscribeEvents(&context_, &request_, this);
  // Take starts reads too, outside of any reaction: the hold keeps the call open for it while reading is paused.
  AddHold();
  StartRead(&incoming_);
  StartCall();
}

FrameStream::~FrameStream() {
  Cancel();
  absl::MutexLock lock(&mu_);
  mu_.Await(absl::Condition(this, &FrameStream::Ended));
}

std::optional<v1::SubscribeEventsResponse> FrameStream::Take(absl::Duration patience) {
  std::optional<v1::SubscribeEventsResponse> frame;
  bool read_on = false;
  {
    absl::MutexLock lock(&mu_);
    mu_.AwaitWithTimeout(absl::Condition(this, &FrameStream::TakeableOrOver), patience);
    if (woken_ || frames_.empty()) return std::nullopt;
    frame = std::move(frames_.front());
    frames_.pop_front();
    if (reading_ == Reading::kPaused) {
      read_on = true;
      reading_ = Reading::kUnderWay;
      reading_since_ = Clock::now();
    }
  }
  if (read_on) StartRead(&incoming_);
  return frame;
}

std::optional<grpc::Status> FrameStream::end() const {
  absl::MutexLock lock(&mu_);
  return frames_.empty() ? end_ : std::nullopt;
}

absl::Duration FrameStream::Silence() const {
  absl::MutexLock lock(&mu_);
  return frames_.empty() ? absl::FromChrono(Clock::now() - reading_since_) : absl::ZeroDuration();
}

void FrameStream::Wake() {
  absl::MutexLock lock(&mu_);
  woken_ = true;
}

void FrameStream::Cancel() {
  bool release = false;
  {
    absl::MutexLock lock(&mu_);
    cancelled_ = true;
    if (reading_ == Reading::kPaused) {
      reading_ = Reading::kOver;
      release = true;
    }
  }
  context_.TryCancel();
  if (release) RemoveHold();
}

void FrameStream::OnReadDone(bool ok) {
  Reading next;
  {
    absl::MutexLock lock(&mu_);
    if (ok) {
      frames_.push_back(std::move(incoming_));
      incoming_ = v1::SubscribeEventsResponse();
      reading_since_ = Clock::now();
    }
    if (!ok || cancelled_) {
      reading_ = Reading::kOver;
    } else if (frames_.size() >= kMostWaitingFrames) {
      reading_ = Reading::kPaused;
    }
    next = reading_;
  }
  if (next == Reading::kUnderWay) StartRead(&incoming_);
  if (next == Reading::kOver) RemoveHold();
}

void FrameStream::OnDone(const grpc::Status& status) {
  // The destructor may wait for this, and goes on as soon as the lock is released: nothing may follow.
  absl::MutexLock lock(&mu_);
  end_ = status;
}

bool FrameStream::TakeableOrOver() const { return woken_ || !frames_.empty() || end_.has_value(); }

bool FrameStream::Ended() const { return end_.has_value(); }

}  // namespace aulm::gateway::client
