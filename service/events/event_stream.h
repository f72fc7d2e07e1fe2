#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/events/event_hub.h"
#include "service/events/events_metrics.h"
#include "service/events/frame.h"
#include "service/events/frame_source.h"
#include "service/events/stream_spec.h"

namespace aulm::gateway {

struct EventStreamOptions {
  absl::Duration max_age = absl::Hours(1);            // a stream is drained between 80 % of this and this
  absl::Duration reconnect_after = absl::Seconds(1);  // what a Drain at shutdown asks for, give or take a half
  size_t scan_budget = 2048;                          // events looked at in the ring before others get their turn
};

// What all streams share. All outlive the streams.
struct EventStreamContext {
  EventHub& hub;
  Clock& clock;
  Random& random;
  EventsMetrics& metrics;
  EventStreamOptions options;
};

// One subscriber: a position in the log, and what it takes to turn that into frames when the transport asks for one.
// It knows no transport and keeps no queue: a frame is made when Next is called and events are there, from the hub's
// ring or, behind it, from pages of the log that it has read on a worker thread, one at a time. Thread-safe; nothing
// here blocks. Callbacks run inline or on a thread of the hub's, the clock's or a worker's, never under a lock.
class EventStream final : public FrameSource, public HeadWaiter, public std::enable_shared_from_this<EventStream> {
 public:
  using CloseCallback = std::function<void(const EventStream*)>;

  // `on_close` runs once, in Close.
  EventStream(const EventStreamContext& context, StreamSpec spec, std::string id, CloseCallback on_close);

  // Finds the start in the log, then calls `done` exactly once; Next may be called after OK. Errors: CURSOR_EXPIRED,
  // STORE_UNAVAILABLE, DRAINING; CANCELLED after Close. Once.
  void Start(StartCallback done) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `done` with the next frame when there is one: Started first, then EventBatch, Heartbeat and Gap frames, Drain
  // last. At most one call is outstanding, and `done` may make the next. An error is the end of the stream, and what to
  // tell the subscriber: DRAINING after a Drain frame, CURSOR_EXPIRED when retention overtook it. After Close, `done`
  // is dropped without being called.
  void Next(FrameCallback done) override ABSL_LOCKS_EXCLUDED(mutex_);

  // Ends the stream: the next frame is Drain, at once where Next waits.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // The subscriber is gone, or has been told the end. Drops what Next was given; more calls do nothing.
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_);

  const std::string& id() const override { return id_; }

  Totals totals() const override ABSL_LOCKS_EXCLUDED(mutex_);

  // Events stored but not looked at; 0 before the start is found.
  uint64_t LagEvents() const ABSL_LOCKS_EXCLUDED(mutex_);

  void OnHead() override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  enum class State {
    kAdmitting,  // the start is not known yet
    kAdmitted,   // Started is the next frame
    kStreaming,
    kOver,  // end_ says why
  };
  enum class DrainReason { kNone, kShutdown, kAge };

  void Admit(absl::StatusOr<Position> position, StartCallback done) ABSL_LOCKS_EXCLUDED(mutex_);

  // Hands a frame to whoever waits in Next, if there is one of each. Whatever changes calls it.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);

  // The next frame or the end; nullopt while there is neither: then something is under way that calls Advance.
  std::optional<absl::StatusOr<Frame>> TakeFrame(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<Frame> TakeBatch() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Frame TakeStarted() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Frame TakeGap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Frame TakeHeartbeat() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Frame TakeDrain() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Makes page_ the one that follows the position. False when there is none now; then, unless the frame has events
  // already, something is under way that calls Advance.
  bool NextPage(bool frame_is_empty) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Takes what is selected of page_ into the batch, up to `scan` events looked at, and moves the position along. False
  // when the batch is full.
  bool TakeFromPage(BatchFrame& batch, size_t& scan) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // A read of the log: begun, run on a worker thread, taken in.
  void BeginRead() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Read(uint64_t after) ABSL_LOCKS_EXCLUDED(mutex_);
  absl::StatusOr<std::shared_ptr<const EncodedPage>> ReadPage(uint64_t after) const;
  void TakeIn(absl::StatusOr<std::shared_ptr<const EncodedPage>> page) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // The same after a pause, or more of the ring after others had their turn.
  void Resume() ABSL_LOCKS_EXCLUDED(mutex_);

  // The log no longer covers the position: does what the request asks for. OK when the stream goes on (after a Gap).
  absl::Status Expire(const absl::Status& expired, const Cursor& from) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  void ArmTimer(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnTimer() ABSL_LOCKS_EXCLUDED(mutex_);

  void End(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Cursor CursorAt(const Position& position) const;

  const EventStreamContext& context_;
  const StreamSpec spec_;
  const std::string id_;
  const uint64_t epoch_;

  mutable absl::Mutex mutex_;
  CloseCallback on_close_ ABSL_GUARDED_BY(mutex_);
  State state_ ABSL_GUARDED_BY(mutex_) = State::kAdmitting;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);
  FrameCallback next_ ABSL_GUARDED_BY(mutex_);

  // Everything up to here was delivered or filtered out.
  Position position_ ABSL_GUARDED_BY(mutex_);
  // The page being taken, the hub's or one read for this stream alone (then all of it is selected), and its first event
  // that was not looked at yet.
  std::shared_ptr<const EncodedPage> page_ ABSL_GUARDED_BY(mutex_);
  bool page_is_selected_ ABSL_GUARDED_BY(mutex_) = false;
  size_t page_index_ ABSL_GUARDED_BY(mutex_) = 0;
  // What is under way and will call Advance: at most one of the three.
  bool waiting_at_head_ ABSL_GUARDED_BY(mutex_) = false;
  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool yielding_ ABSL_GUARDED_BY(mutex_) = false;

  std::optional<v1::Gap> gap_ ABSL_GUARDED_BY(mutex_);
  DrainReason drain_ ABSL_GUARDED_BY(mutex_) = DrainReason::kNone;
  absl::Time last_frame_ ABSL_GUARDED_BY(mutex_);
  absl::Time drain_at_ ABSL_GUARDED_BY(mutex_);
  Clock::TimerId timer_ ABSL_GUARDED_BY(mutex_) = 0;
  Totals totals_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
