#pragma once

#include <functional>
#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// One timer of a Clock that is set again and again, and that can be destroyed safely while the clock runs: after that
// its function is not running and will not run. Thread-safe.
class WakeTimer {
 public:
  // `wake` runs on the clock's thread and must return at once; it must not destroy this. The clock must outlive this.
  WakeTimer(Clock& clock, std::function<void()> wake);
  ~WakeTimer();

  WakeTimer(const WakeTimer&) = delete;
  WakeTimer& operator=(const WakeTimer&) = delete;

  // Calls `wake` once, `delay` from now; does nothing when a call is pending.
  void Schedule(absl::Duration delay);

 private:
  // Outlives the timer where the clock is about to call.
  struct Shared {
    absl::Mutex mutex;
    std::function<void()> wake ABSL_GUARDED_BY(mutex);  // empty once the timer is gone
    bool pending ABSL_GUARDED_BY(mutex) = false;
  };

  Clock& clock_;
  const std::shared_ptr<Shared> shared_;
};

}  // namespace aulm::gateway
