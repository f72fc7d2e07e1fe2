#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/events/event_ring.h"
#include "service/events/events_metrics.h"
#include "service/events/log_position.h"
#include "service/events/worker_pool.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

struct EventHubOptions {
  size_t ring_bytes = 32 << 20;  // of memory for recent events
  size_t read_threads = 2;       // for what blocks on the log
  // The bounds of one read, of the hub and of a stream that catches up: what a slow stream can hold in memory.
  size_t page_events = 1024;
  size_t page_bytes = 256 << 10;
  absl::Duration retry_delay = absl::Milliseconds(500);  // after a read that failed
  // Told of new events, whichever replica stored them, in their order on the hub's thread, before anybody who waits for
  // them; must not block. May be empty.
  std::function<void(const EventPage& page)> on_events = {};
};

// Something that wants to hear of new events once.
class HeadWaiter {
 public:
  virtual ~HeadWaiter() = default;

  // On the hub's thread, once per WaitAtHead. Must not block.
  virtual void OnHead() = 0;
};

// The one reader of live events: it watches the log, reads what is new on a thread of its own, encodes it once into the
// ring and wakes whoever waits at the head. It pushes nothing: a stream comes to the ring with its own position, so a
// slow one costs nobody anything. Also lends its worker threads to reads that are behind the ring. Thread-safe.
class EventHub {
 public:
  // All must outlive the hub.
  EventHub(EventLog& log, Clock& clock, EventsMetrics& metrics, const EventHubOptions& options = {});

  // Stops.
  ~EventHub();

  // Finds the log's head and begins to follow it. Blocks on one read. Before anything else, once. Error:
  // STORE_UNAVAILABLE.
  absl::Status Start();

  // Ends the threads. Posted work that has not begun is dropped, so stop the gRPC server first. Blocks.
  void Stop();

  // What the ring has to offer to someone whose position is `after`.
  struct View {
    enum class Where {
      kBehind,  // nothing: read the log
      kInside,  // the page; nullptr when there is nothing up to `head`
      kAtHead,  // nothing: wait
    };
    Where where = Where::kBehind;
    std::shared_ptr<const EncodedPage> page;
    Position head;  // of the ring
  };
  View Look(uint64_t after) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Calls `waiter` once when there are events after `after`, and holds a reference to it until then. False (and no
  // call) when there are already.
  bool WaitAtHead(uint64_t after, std::shared_ptr<HeadWaiter> waiter) ABSL_LOCKS_EXCLUDED(mutex_);

  // Drops the waiter. It may be on its way to being called all the same.
  void StopWaiting(const std::shared_ptr<HeadWaiter>& waiter) ABSL_LOCKS_EXCLUDED(mutex_);

  // The newest event in the ring. Never blocks on the log.
  Position head() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The position of a start, where it takes no read of the log to tell: nullopt says that ResolveStart must.
  std::optional<Position> TryResolve(const LogStart& start) const ABSL_LOCKS_EXCLUDED(mutex_);

  // Runs `job`, which may block on the log, on a worker thread. Dropped after Stop.
  void Post(absl::AnyInvocable<void() &&> job) { workers_.Post(std::move(job)); }

  EventLog& log() const { return log_; }
  const EventHubOptions& options() const { return options_; }

 private:
  // What the watch, the retry timer and Stop tell the hub's thread. Shared, since a timer may outlive the hub.
  struct Signal {
    absl::Mutex mutex;
    absl::CondVar changed;
    bool pending ABSL_GUARDED_BY(mutex) = false;
    bool stopping ABSL_GUARDED_BY(mutex) = false;

    void Raise() ABSL_LOCKS_EXCLUDED(mutex);
  };

  void Run();
  // One read of what is new, into the ring. False when it failed.
  bool Follow() ABSL_LOCKS_EXCLUDED(mutex_);
  void Publish(const EventPage& page, uint64_t after, const LogInfo& before) ABSL_LOCKS_EXCLUDED(mutex_);

  EventLog& log_;
  Clock& clock_;
  EventsMetrics& metrics_;
  const EventHubOptions options_;
  const std::shared_ptr<Signal> signal_;
  mutable absl::Mutex mutex_;
  EventRing ring_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::shared_ptr<HeadWaiter>> waiting_ ABSL_GUARDED_BY(mutex_);
  WorkerPool workers_;
  std::thread thread_;
};

}  // namespace aulm::gateway
