#pragma once

#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "grpcpp/server_context.h"
#include "grpcpp/support/byte_buffer.h"
#include "grpcpp/support/server_callback.h"
#include "service/base/clock.h"
#include "service/base/span.h"
#include "service/events/event_streams.h"
#include "service/events/frame_source.h"
#include "service/events/subscriptions/subscriptions.h"
#include "service/rpc/caller.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/unary_call.h"

namespace aulm::gateway {

// One SubscribeEvents call: asks a FrameSource for frames and writes them, one at a time. It survives what gRPC 1.51
// does to streams: reactions run in parallel, so all of it is one state machine under one mutex; exactly one Finish,
// never while a write is outstanding, so that a Drain frame is sent before the status and no shutdown waits for ever;
// and since a write has no time limit, a client that takes nothing is cancelled by a watchdog. Owns itself until
// OnDone.
class SubscribeReactor final : public grpc::ServerWriteReactor<grpc::ByteBuffer>,
                               public std::enable_shared_from_this<SubscribeReactor> {
 public:
  // All outlive the calls.
  struct Environment {
    const CallEnvironment& calls;
    EventStreams& streams;
    Subscriptions* subscriptions;  // null: durable subscriptions are refused
    EventsMetrics& events_metrics;
    MethodMetrics& method_metrics;
    absl::Duration stall;  // the longest that one frame may take to be written
  };

  // The call's reactor, already at work. `request` is an encoded v1::SubscribeEventsRequest.
  static SubscribeReactor* Begin(const Environment& environment, grpc::CallbackServerContext& context,
                                 const grpc::ByteBuffer& request);

  SubscribeReactor(const Environment& environment, grpc::CallbackServerContext& context);

 private:
  enum class State {
    kAdmitting,  // the stream looks for its start
    kPulling,    // waits for the stream's next frame
    kWriting,    // a write is outstanding
    kFinished,   // Finish was called, or is about to be
  };

  void Admit(const grpc::ByteBuffer& request);
  // Who calls and whether it may, then what the request asks for: the log itself, or a durable subscription.
  absl::StatusOr<std::shared_ptr<FrameSource>> OpenSource(const grpc::ByteBuffer& bytes);
  absl::Status TakeSlot();
  void OnAdmitted(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Pull();
  void OnFrame(absl::StatusOr<Frame> frame) ABSL_LOCKS_EXCLUDED(mutex_);

  // gRPC's reactions: any thread, also at the same time.
  void OnWriteDone(bool ok) override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnCancel() override ABSL_LOCKS_EXCLUDED(mutex_);
  void OnDone() override;

  // Leaves `from` for kFinished and finishes; false when the state is another one, since somebody else is at it.
  bool FinishFrom(State from, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  // After the state became kFinished: closes the stream and says how it ended, then calls Finish.
  void Conclude(const absl::Status& status, bool stalled) ABSL_LOCKS_EXCLUDED(mutex_);

  // With how the stream ended; `failure` is empty where that was no failure.
  void EndSpan(grpc::StatusCode code, absl::string_view failure);
  std::string Traceparent() const;  // the caller's, or empty

  void WatchForStall(absl::Duration delay) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnStallTimer() ABSL_LOCKS_EXCLUDED(mutex_);

  const Environment& environment_;
  Clock& clock_;
  grpc::CallbackServerContext& context_;
  const absl::Time begun_;
  std::shared_ptr<SubscribeReactor> self_;  // until OnDone
  Caller* caller_ = nullptr;                // set before any reaction that uses it; null when nobody knows who calls
  std::optional<Caller::StreamSlot> slot_;  // of the caller's
  std::shared_ptr<FrameSource> stream_;     // set before any reaction that uses it; null when not admitted
  grpc::ByteBuffer writing_;                // belongs to the outstanding write
  Span span_;                               // of the whole stream: touched by whoever leads it to its next state

  absl::Mutex mutex_;
  State state_ ABSL_GUARDED_BY(mutex_) = State::kAdmitting;
  bool cancelled_ ABSL_GUARDED_BY(mutex_) = false;
  bool stalled_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Time write_begun_ ABSL_GUARDED_BY(mutex_);
  Clock::TimerId stall_timer_ ABSL_GUARDED_BY(mutex_) = 0;
  // The watchdog is inside TryCancel: the call must not be finished under its feet, or the context would be gone.
  bool cancelling_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<absl::Status> finish_after_cancelling_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
