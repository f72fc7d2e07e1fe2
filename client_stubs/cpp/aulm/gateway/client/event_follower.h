#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/backoff.h"
#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/client/cursor_store.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "grpcpp/channel.h"

namespace aulm::gateway::client {

class FrameStream;

// How an EventFollower follows. Every callback is optional, and is called on the thread that is in Next.
struct FollowOptions {
  // Where to start, the filter, the heartbeat interval (20 s where absent) and the rest. Its start holds until there is
  // a cursor, from the store or from the gateway.
  v1::SubscribeEventsRequest request;
  // Keeps the position over restarts of this process; null: starts anew each time. Must outlive the follower.
  CursorStore* cursor_store = nullptr;
  // The position is saved at most this often, and when Next ends. A crash repeats the events handled since; zero saves
  // after each event.
  absl::Duration cursor_save_interval = absl::Seconds(1);
  // The wait after a first and after a further failure to connect, jittered.
  absl::Duration least_backoff = absl::Milliseconds(200);
  absl::Duration most_backoff = absl::Seconds(10);

  // Connected: at the start and after each interruption.
  std::function<void(const v1::Started&)> on_started;
  // Tells whether the follower has caught up and how far behind it is.
  std::function<void(const v1::Heartbeat&)> on_heartbeat;
  // Events that can no longer be had. Only where request.on_expired_cursor asks to go on all the same.
  std::function<void(const v1::Gap&)> on_gap;
  // The stream ended (a Drain has reason "DRAINING", silence has no reason); it is tried again after `wait`.
  std::function<void(const CallError& error, absl::Duration wait)> on_interrupted;
  // The position could not be saved; following goes on, and it is tried again with the next event.
  std::function<void(const absl::Status& status)> on_cursor_not_saved;
};

// Follows the gateway's events, each once and in order, over broken connections and restarts of the gateway: reconnects
// with backoff and resumes after the last event that came, waits as a Drain asks, and gives up a stream that is silent
// for three heartbeat intervals. One thread loops over Next; any thread may Stop it:
//
//   EventFollower follower(channel, options);
//   while (const std::optional<v1::Event> event = follower.Next()) Handle(*event);
//   if (follower.error()) …
//
// A blocking iterator, since a handler then has its own thread, and a slow one simply holds the gateway back.
class EventFollower {
 public:
  // Does not connect: the first Next does.
  EventFollower(const std::shared_ptr<grpc::ChannelInterface>& channel, FollowOptions options);
  EventFollower(const EventFollower&) = delete;
  EventFollower& operator=(const EventFollower&) = delete;
  // Does not save the position: Next or Commit did.
  ~EventFollower();

  // The next event. Blocks, however long none comes and the gateway is away. Says by being called that the event
  // before was handled. nullopt for ever once stopped, or after an error that trying again cannot mend: see error().
  std::optional<v1::Event> Next();

  // Says that the last event was handled, and saves the position now: for leaving the loop after an event. OK without
  // a store. On the thread of Next.
  absl::Status Commit();

  // Makes Next return nullopt soon, for good. Thread-safe, does not block; not for signal handlers.
  void Stop();

  // Why Next ended by itself: a bad request (INVALID_ARGUMENT), CURSOR_EXPIRED, not allowed, or a cursor store that
  // cannot be read. nullopt when it was stopped or still goes on. On the thread of Next.
  const std::optional<CallError>& error() const { return error_; }

  // Stands after the last handled event; empty before anything is known. On the thread of Next.
  const std::string& cursor() const { return handled_; }

 private:
  bool Stopped() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return stopped_; }
  bool stopped() const;
  bool LoadCursor();
  void Connect();
  void TakeFrame();
  void Accept(v1::SubscribeEventsResponse frame);
  void AcceptStarted(const v1::Started& started);
  void MoveTo(const std::string& cursor);
  v1::Event HandOut();
  void MarkHandled();
  void Interrupted(const CallError& error, absl::Duration least_wait);
  void CloseStream();
  absl::Duration UntilSave() const;
  void SaveIfDue();
  absl::Status Save();

  const std::unique_ptr<v1::EventService::Stub> stub_;
  const FollowOptions options_;
  const absl::Duration longest_silence_;

  // The rest up to mu_ belongs to the thread of Next.
  Backoff backoff_;
  bool started_ = false;     // the store was read
  bool progressed_ = false;  // this stream sent more than Started and Drain
  std::optional<CallError> error_;
  v1::EventBatch batch_;  // handed out up to next_delivery_
  int next_delivery_ = 0;
  std::string position_;         // after everything in batch_: where a new stream starts
  std::string handed_out_;       // after the event that Next returned last; empty when that is handled
  std::string handled_, saved_;  // after the last handled event, and as the store has it
  std::chrono::steady_clock::time_point saved_at_;

  mutable absl::Mutex mu_;
  std::shared_ptr<FrameStream> stream_ ABSL_GUARDED_BY(mu_);  // replaced on the thread of Next alone
  bool stopped_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace aulm::gateway::client
