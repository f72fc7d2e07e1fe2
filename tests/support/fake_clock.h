#pragma once

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/synchronization/mutex.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// A clock that stands still until a test moves it. Timers run inside Advance, on the thread that called it.
class FakeClock final : public Clock {
 public:
  explicit FakeClock(absl::Time now = absl::FromUnixSeconds(1'780'000'000)) : now_(now) {}

  absl::Time Now() const override {
    absl::MutexLock lock(&mutex_);
    return now_;
  }

  TimerId CallAfter(absl::Duration delay, std::function<void()> callback) override {
    absl::MutexLock lock(&mutex_);
    const TimerId id = next_id_++;
    pending_.emplace(std::make_pair(now_ + delay, id), std::move(callback));
    return id;
  }

  bool Cancel(TimerId timer) override {
    absl::MutexLock lock(&mutex_);
    for (auto it = pending_.begin(); it != pending_.end(); ++it) {
      if (it->first.second != timer) continue;
      pending_.erase(it);
      return true;
    }
    return false;
  }

  // Moves the time on by `step` and runs every timer that is due by then, in order, each at its own time.
  void Advance(absl::Duration step) {
    absl::Time target;
    {
      absl::MutexLock lock(&mutex_);
      target = now_ + step;
    }
    while (true) {
      std::function<void()> callback;
      {
        absl::MutexLock lock(&mutex_);
        if (pending_.empty() || pending_.begin()->first.first > target) {
          now_ = target;
          return;
        }
        now_ = std::max(now_, pending_.begin()->first.first);
        callback = std::move(pending_.begin()->second);
        pending_.erase(pending_.begin());
      }
      callback();
    }
  }

  size_t pending_timers() const {
    absl::MutexLock lock(&mutex_);
    return pending_.size();
  }

 private:
  mutable absl::Mutex mutex_;
  absl::Time now_ ABSL_GUARDED_BY(mutex_);
  absl::btree_map<std::pair<absl::Time, TimerId>, std::function<void()>> pending_ ABSL_GUARDED_BY(mutex_);
  TimerId next_id_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace aulm::gateway
