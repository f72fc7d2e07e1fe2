#include "aulm/gateway/client/frame_source.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/connection.h"
#include "aulm/gateway/client/frame_stream.h"
#include "aulm/gateway/client/monotonic_now.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"

namespace aulm::gateway::client {
namespace {

// What the gateway uses where the request says nothing.
constexpr absl::Duration kUsualHeartbeat = absl::Seconds(20);
constexpr int kSilentHeartbeats = 3;
constexpr std::chrono::seconds kCallTimeout(10);

absl::Duration ToDuration(const google::protobuf::Duration& duration) {
  return absl::Seconds(duration.seconds()) + absl::Nanoseconds(duration.nanos());
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

CallError Unavailable(std::string message) {
  CallError error;
  error.code = grpc::StatusCode::UNAVAILABLE;
  error.message = std::move(message);
  return error;
}

}  // namespace

absl::Duration LongestSilence(const v1::SubscribeEventsRequest& request) {
  const absl::Duration asked = ToDuration(request.heartbeat_interval());
  return kSilentHeartbeats * (asked > absl::ZeroDuration() ? asked : kUsualHeartbeat);
}

FrameSource::FrameSource(const std::shared_ptr<grpc::ChannelInterface>& channel, Setup setup, const Notices& notices)
    : channel_(channel),
      stub_(v1::EventService::NewStub(channel)),
      setup_(std::move(setup)),
      notices_(notices),
      backoff_(setup_.least_backoff, setup_.most_backoff) {}

FrameSource::~FrameSource() { Close(); }

std::optional<v1::SubscribeEventsResponse> FrameSource::Take(absl::Duration patience) {
  if (drain_.has_value()) {
    CallError error = Unavailable(drain_->reason());
    error.reason = "DRAINING";
    const absl::Duration wait = ToDuration(drain_->reconnect_after());
    drain_.reset();
    Leave(error, wait);
  }
  if (error_.has_value() || stopped()) return std::nullopt;
  std::shared_ptr<FrameStream> stream = this->stream();
  if (stream == nullptr) {
    if (const absl::Duration wait = not_before_ - MonotonicNow(); wait > absl::ZeroDuration()) {
      Pause(std::min(wait, patience));
      return std::nullopt;
    }
    stream = Open();
  }
  std::optional<v1::SubscribeEventsResponse> frame =
      stream->Take(std::min(setup_.longest_silence - stream->Silence(), patience));
  if (stopped()) return std::nullopt;
  if (frame.has_value()) {
    Note(*frame);
    return frame;
  }
  if (const std::optional<grpc::Status> end = stream->end()) {
    Ended(end->ok() ? Unavailable("the stream ended") : ToCallError(*end));
  } else if (stream->Silence() >= setup_.longest_silence) {
    Leave(Unavailable(absl::StrCat("the gateway was silent for ", absl::FormatDuration(setup_.longest_silence))),
          absl::ZeroDuration());
  }
  return std::nullopt;
}

CallResult<v1::Subscription> FrameSource::FindSubscription(const std::string& name) {
  const auto stub = v1::SubscriptionService::NewStub(channel_);
  v1::GetSubscriptionRequest request;
  request.set_name(name);
  while (!stopped()) {
    v1::GetSubscriptionResponse response;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kCallTimeout);
    const grpc::Status status = stub->GetSubscription(&context, request, &response);
    if (status.ok()) return std::move(*response.mutable_subscription());
    if (!MayPass(status.error_code())) return ToCallError(status);
    const absl::Duration wait = backoff_.Next();
    if (notices_.on_interrupted) notices_.on_interrupted(ToCallError(status), wait);
    Pause(wait);
  }
  return ToCallError(grpc::Status(grpc::StatusCode::CANCELLED, "stopped"));
}

void FrameSource::Close() {
  std::shared_ptr<FrameStream> stream;
  {
    absl::MutexLock lock(&mu_);
    stream.swap(stream_);
  }
  stream.reset();  // cancels it, outside of the lock
}

void FrameSource::Stop() {
  std::shared_ptr<FrameStream> stream;
  {
    absl::MutexLock lock(&mu_);
    stopped_ = true;
    stream = stream_;
  }
  if (stream != nullptr) stream->Wake();
}

bool FrameSource::stopped() const {
  absl::MutexLock lock(&mu_);
  return stopped_;
}

void FrameSource::Pause(absl::Duration wait) {
  WaitConnecting(*channel_, wait, [this] { return stopped(); });
}

std::shared_ptr<FrameStream> FrameSource::stream() const {
  absl::MutexLock lock(&mu_);
  return stream_;
}

std::shared_ptr<FrameStream> FrameSource::Open() {
  const auto stream = std::make_shared<FrameStream>(*stub_, setup_.next_request());
  progressed_ = false;
  absl::MutexLock lock(&mu_);
  stream_ = stream;
  if (stopped_) stream->Wake();  // Stop has not seen this one
  return stream;
}

void FrameSource::Note(const v1::SubscribeEventsResponse& frame) {
  if (!frame.has_started() && !frame.has_drain()) progressed_ = true;
  if (frame.has_started() && notices_.on_started) notices_.on_started(frame.started());
  if (frame.has_heartbeat() && notices_.on_heartbeat) notices_.on_heartbeat(frame.heartbeat());
  if (frame.has_gap() && notices_.on_gap) notices_.on_gap(frame.gap());
  if (frame.has_drain()) drain_ = frame.drain();
}

void FrameSource::Ended(CallError error) {
  if (IsFinal(error.code)) {
    Close();
    error_ = std::move(error);
  } else {
    Leave(error, error.retry_after.value_or(absl::ZeroDuration()));
  }
}

// Leaves the stream, and has the next one wait: at least as long as told, and longer with each stream that came to
// nothing.
void FrameSource::Leave(const CallError& error, absl::Duration least_wait) {
  Close();
  if (progressed_) backoff_.Reset();
  const bool asked_to_come_back = progressed_ && error.reason == "DRAINING";
  const absl::Duration told = backoff_.Spread(least_wait);
  const absl::Duration wait = asked_to_come_back ? told : std::max(told, backoff_.Next());
  not_before_ = MonotonicNow() + wait;
  if (notices_.on_interrupted) notices_.on_interrupted(error, wait);
  if (setup_.on_interrupted) setup_.on_interrupted();
}

}  // namespace aulm::gateway::client
