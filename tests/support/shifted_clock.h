#pragma once

#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "service/base/system_clock.h"

namespace aulm::gateway {

// The machine's clock, which a test can set forward: for what another program's clock must be compared with. Timers run
// in real time.
class ShiftedClock final : public Clock {
 public:
  absl::Time Now() const override {
    absl::MutexLock lock(&mutex_);
    return clock_.Now() + shift_;
  }

  TimerId CallAfter(absl::Duration delay, std::function<void()> callback) override {
    return clock_.CallAfter(delay, std::move(callback));
  }

  bool Cancel(TimerId timer) override { return clock_.Cancel(timer); }

  void Advance(absl::Duration step) {
    absl::MutexLock lock(&mutex_);
    shift_ += step;
  }

 private:
  SystemClock clock_;
  mutable absl::Mutex mutex_;
  absl::Duration shift_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
