#pragma once

#include <functional>
#include <thread>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// The machine's time, and one thread that runs timers in the order of their due times.
class SystemClock final : public Clock {
 public:
  SystemClock();
  // Stops, and drops the timers that are pending.
  ~SystemClock() override;

  // Runs no timer from now on, and returns once the one that runs has come to its end: what timers use may go then. Not
  // from a callback.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  absl::Time Now() const override;
  TimerId CallAfter(absl::Duration delay, std::function<void()> callback) override;
  bool Cancel(TimerId timer) override;

 private:
  // When, in nanoseconds of the monotonic clock, and which: equal times run in the order they were asked for.
  using Due = std::pair<int64_t, TimerId>;

  void Run();

  absl::Mutex mutex_;
  absl::CondVar changed_;
  absl::btree_map<Due, std::function<void()>> pending_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<TimerId, int64_t> due_of_ ABSL_GUARDED_BY(mutex_);
  TimerId next_id_ ABSL_GUARDED_BY(mutex_) = 1;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace aulm::gateway
