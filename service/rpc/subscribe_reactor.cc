#include "service/rpc/subscribe_reactor.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/stream_spec.h"
#include "service/events/subscriptions/owned_name.h"
#include "service/rpc/raw_request.h"
#include "service/rpc/status_conversion.h"

namespace aulm::gateway {
namespace {

absl::Status Cancelled() { return GatewayError(GatewayReason::kCallCancelled, "the client went away"); }

}  // namespace

SubscribeReactor* SubscribeReactor::Begin(const Environment& environment, grpc::CallbackServerContext& context,
                                          const grpc::ByteBuffer& request) {
  const auto reactor = std::make_shared<SubscribeReactor>(environment, context);
  reactor->self_ = reactor;
  reactor->Admit(request);
  return reactor.get();  // OnDone cannot come before gRPC has it
}

SubscribeReactor::SubscribeReactor(const Environment& environment, grpc::CallbackServerContext& context)
    : environment_(environment), clock_(environment.calls.clock), context_(context), begun_(clock_.Now()) {
  environment_.method_metrics.Started();
  environment_.method_metrics.MessageReceived();
  span_ = Span(Span::Kind::kServer, environment_.method_metrics.method(), Traceparent());
}

absl::StatusOr<std::shared_ptr<FrameSource>> SubscribeReactor::OpenSource(const grpc::ByteBuffer& bytes) {
  const absl::StatusOr<Caller*> caller = environment_.calls.callers.Identify(context_);
  if (!caller.ok()) return caller.status();
  caller_ = *caller;
  if (absl::Status status = caller_->MayCall(environment_.method_metrics.method()); !status.ok()) return status;
  const RawRequest<v1::SubscribeEventsRequest> request(bytes);
  if (!request.status().ok()) return request.status();
  if (request->subscription().empty() || environment_.subscriptions == nullptr) {
    absl::StatusOr<StreamSpec> spec = CheckRequest(*request, begun_);
    if (!spec.ok()) return spec.status();
    if (absl::Status status = caller_->MaySeeEvents(request->filter()); !status.ok()) return status;
    spec->selection.visibility = caller_->visibility();
    if (absl::Status status = TakeSlot(); !status.ok()) return status;
    return environment_.streams.Open(*std::move(spec));
  }
  absl::StatusOr<ConsumerSpec> spec = CheckConsumer(*request);
  if (!spec.ok()) return spec.status();
  if (absl::Status status = caller_->MaySeeEvents({}); !status.ok()) return status;
  spec->subscription = OwnedName(caller_->name(), request->subscription());
  if (absl::Status status = TakeSlot(); !status.ok()) return status;
  return environment_.subscriptions->Open(*std::move(spec));
}

absl::Status SubscribeReactor::TakeSlot() {
  absl::StatusOr<Caller::StreamSlot> slot = caller_->TakeStream();
  if (!slot.ok()) return slot.status();
  slot_.emplace(*std::move(slot));
  return absl::OkStatus();
}

void SubscribeReactor::Admit(const grpc::ByteBuffer& request) {
  absl::StatusOr<std::shared_ptr<FrameSource>> stream = OpenSource(request);
  if (!stream.ok()) {
    FinishFrom(State::kAdmitting, stream.status());
    return;
  }
  stream_ = *std::move(stream);
  stream_->Start([self = shared_from_this()](const absl::Status& status) { self->OnAdmitted(status); });
}

void SubscribeReactor::OnAdmitted(const absl::Status& status) {
  if (!status.ok()) {
    FinishFrom(State::kAdmitting, status);
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (state_ != State::kAdmitting) return;
    state_ = State::kPulling;
    span_.Event("admitted");
  }
  WatchForStall(environment_.stall);
  Pull();
}

void SubscribeReactor::Pull() {
  stream_->Next([self = shared_from_this()](absl::StatusOr<Frame> frame) { self->OnFrame(std::move(frame)); });
}

void SubscribeReactor::OnFrame(absl::StatusOr<Frame> frame) {
  if (!frame.ok()) {
    FinishFrom(State::kPulling, frame.status());
    return;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (state_ != State::kPulling) return;
    state_ = State::kWriting;
    write_begun_ = clock_.Now();
  }
  environment_.method_metrics.MessagesSent();
  writing_ = frame->bytes;
  StartWrite(&writing_);
}

void SubscribeReactor::OnWriteDone(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    ok = ok && !cancelled_;
    if (ok) state_ = State::kPulling;
  }
  if (ok) {
    Pull();
  } else {
    FinishFrom(State::kWriting, Cancelled());
  }
}

void SubscribeReactor::OnCancel() {
  {
    absl::MutexLock lock(&mutex_);
    cancelled_ = true;
  }
  // A write that is outstanding comes back first, with ok false.
  for (const State state : {State::kAdmitting, State::kPulling}) FinishFrom(state, Cancelled());
}

void SubscribeReactor::OnDone() {
  environment_.method_metrics.Done();
  self_.reset();
}

bool SubscribeReactor::FinishFrom(State from, const absl::Status& status) {
  bool stalled;
  {
    absl::MutexLock lock(&mutex_);
    if (state_ != from) return false;
    state_ = State::kFinished;
    stalled = stalled_;
  }
  Conclude(status, stalled);
  return true;
}

void SubscribeReactor::Conclude(const absl::Status& status, bool stalled) {
  const absl::Duration took = clock_.Now() - begun_;
  const grpc::Status converted = ToGrpcStatus(status);
  const bool expected = status.code() == absl::StatusCode::kCancelled || HasReason(status, GatewayReason::kDraining);
  {
    LogLine line(expected && !stalled ? LogLevel::kInfo : LogLevel::kWarn, "stream");
    line.Field("method", environment_.method_metrics.method()).Field("code", CodeName(converted.error_code()));
    if (caller_ != nullptr && !caller_->name().empty()) line.Field("caller", caller_->name());
    line.Field("reason", stalled ? "STALLED" : ReasonOf(status));
    line.Field("message", stalled ? "the subscriber took nothing for too long" : status.message());
    line.Field("took_ms", took).Trace(Traceparent());
    if (stream_ != nullptr) {
      const FrameSource::Totals totals = stream_->totals();
      line.Field("stream_id", stream_->id()).Field("frames", totals.frames).Field("events", totals.events);
      line.Field("bytes", totals.bytes).Field("sequence", totals.sequence);
    }
  }
  EndSpan(converted.error_code(), stalled ? "STALLED" : expected ? "" : ReasonOf(status));
  environment_.method_metrics.Handled(converted.error_code(), took);
  if (stream_ != nullptr) stream_->Close();
  slot_.reset();
  if (caller_ != nullptr) caller_->NoteEnd(expected ? absl::OkStatus() : status);
  Clock::TimerId timer;
  {
    absl::MutexLock lock(&mutex_);
    timer = std::exchange(stall_timer_, 0);
    if (cancelling_) {
      finish_after_cancelling_ = status;
      return;
    }
  }
  if (timer != 0) clock_.Cancel(timer);
  AddErrorTrailers(status, context_);
  Finish(converted);
}

void SubscribeReactor::EndSpan(grpc::StatusCode code, absl::string_view failure) {
  span_.Attribute("rpc.grpc.status", CodeName(code));
  if (stream_ != nullptr) {
    const FrameSource::Totals totals = stream_->totals();
    span_.Attribute("aulm.stream_id", stream_->id());
    span_.Attribute("aulm.frames", absl::StrCat(totals.frames));
    span_.Attribute("aulm.events", absl::StrCat(totals.events));
  }
  if (!failure.empty()) span_.Fail(failure);
  span_.End();
}

std::string SubscribeReactor::Traceparent() const {
  const auto found = context_.client_metadata().find("traceparent");
  if (found == context_.client_metadata().end()) return {};
  return std::string(found->second.data(), found->second.size());
}

void SubscribeReactor::WatchForStall(absl::Duration delay) {
  absl::MutexLock lock(&mutex_);
  if (state_ == State::kFinished) return;
  stall_timer_ = clock_.CallAfter(delay, [weak = weak_from_this()] {
    if (const auto self = weak.lock(); self != nullptr) self->OnStallTimer();
  });
}

void SubscribeReactor::OnStallTimer() {
  absl::Duration left = environment_.stall;
  {
    absl::MutexLock lock(&mutex_);
    stall_timer_ = 0;
    if (state_ == State::kWriting) left = write_begun_ + environment_.stall - clock_.Now();
    stalled_ = left <= absl::ZeroDuration();
    cancelling_ = stalled_;
  }
  if (left > absl::ZeroDuration()) {
    WatchForStall(left);
    return;
  }
  environment_.events_metrics.stalls->Increment();
  context_.TryCancel();  // the outstanding write comes back with ok false
  std::optional<absl::Status> status;
  {
    absl::MutexLock lock(&mutex_);
    cancelling_ = false;
    status = std::exchange(finish_after_cancelling_, std::nullopt);
  }
  if (!status.has_value()) return;
  AddErrorTrailers(*status, context_);
  Finish(ToGrpcStatus(*status));
}

}  // namespace aulm::gateway
