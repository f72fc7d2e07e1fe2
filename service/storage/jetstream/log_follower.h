#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/nats_connection.h"
#include "service/storage/jetstream/recent_events.h"
#include "service/storage/jetstream/stream_setup.h"

namespace aulm::gateway {

// Follows the log's stream from the head on, once for this replica, and keeps what it has seen. It reads through an
// ephemeral consumer of one copy, which it makes anew whenever it is in doubt: after a reconnect, a gap, or a silence.
// Each time it looks first whether the stream is still the one it knows, and still has the event that it saw last: a
// stream that was replaced or lost its tail must not be followed as if nothing had happened.
class LogFollower {
 public:
  struct Listeners {
    // There are new events. On the loop, once for many.
    std::function<void()> on_head;
    // The stream as the server just described it. On the loop.
    std::function<void(const StreamInfo&)> on_info;
    // Whether it follows, with the reason where it does not. On the loop.
    std::function<void(const absl::Status&)> on_state;
    // The stream is another one than it was, for good. On the loop, once.
    std::function<void(const absl::Status&)> on_lost;
  };

  // `info` is the stream as it was opened: following begins after its last event. Everything is
  // done on the connection's loop. All must outlive this.
  LogFollower(NatsConnection& connection, JetStreamApi& api, const Clock& clock, StreamDefinition spec,
              const StreamInfo& info, size_t cache_bytes, Listeners listeners);
  ~LogFollower() = default;

  LogFollower(const LogFollower&) = delete;
  LogFollower& operator=(const LogFollower&) = delete;

  // Begins.
  void Start();

  // On the loop: ends it. Nothing is heard of it any more.
  void Stop();

  // On the loop: to be called a few times a second. Makes the consumer anew where it has gone silent.
  void Tick();

  // On the loop: makes the consumer anew, for the reason given.
  void Restart(absl::string_view why);

  // Thread-safe, from memory.
  uint64_t head() const;
  // Where the events that are kept begin: everything after it up to head().
  uint64_t start() const;
  // As RecentEvents::After; `start` and `head` as they stood then.
  FetchedEvents After(uint64_t after, size_t max_events, uint64_t& start, uint64_t& head) const;

 private:
  enum class Step { kIdle, kLooking, kComparing, kCreating, kFollowing };

  void OnMessage(uint64_t generation, NatsMessage message);
  void OnSignal(const NatsMessage& message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Look();
  void OnInfo(const StreamInfo& info);
  void Compare();
  void OnHeadMessage(const StoredMessage& message);
  void Create();
  void Fail(const absl::Status& why);
  void Suspect(const absl::Status& what);
  // Asks the API and goes on with the answer on the loop, unless another round has begun by then.
  void Ask(const std::string& verb, const boost::json::object& question,
           std::function<void(const absl::StatusOr<boost::json::object>&)> then);

  NatsConnection& connection_;
  JetStreamApi& api_;
  const Clock& clock_;
  const StreamDefinition spec_;
  const std::string created_;
  const Listeners listeners_;
  std::unique_ptr<NatsConnection::Subscription> subscription_;

  // Of the loop.
  Step step_ = Step::kIdle;
  uint64_t round_ = 0;     // of making a consumer: late answers of an earlier one are dropped
  std::string consumer_;   // its name, where there is one
  absl::Time not_before_;  // of the next try
  absl::Time suspect_since_ = absl::InfiniteFuture();
  bool lost_ = false;
  // Of the event at the head of the start, to know it again; later ones are in recent_.
  uint64_t known_sequence_ = 0;
  uint64_t known_hash_ = 0;

  mutable absl::Mutex mutex_;
  RecentEvents recent_ ABSL_GUARDED_BY(mutex_);
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;     // of the consumer whose messages count
  uint64_t next_delivery_ ABSL_GUARDED_BY(mutex_) = 1;  // its numbers have no gaps
  absl::Time last_heard_ ABSL_GUARDED_BY(mutex_);
  bool gap_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
