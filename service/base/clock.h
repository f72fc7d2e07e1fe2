#pragma once

#include <cstdint>
#include <functional>

#include "absl/time/time.h"

namespace aulm::gateway {

// The seam for time: what the hour is, and being called back later. SystemClock in the service; FakeClock in tests,
// where time moves only when a test says so.
class Clock {
 public:
  // Names a timer; never reused within a process. 0 names none.
  using TimerId = uint64_t;

  virtual ~Clock() = default;

  // Wall-clock time. Thread-safe.
  virtual absl::Time Now() const = 0;

  // Calls `callback` once, on the clock's thread, `delay` from now or as soon after as it can. The callback must not
  // block: every timer shares the thread. Timers are monotonic: setting the wall clock does not move them. Thread-safe.
  virtual TimerId CallAfter(absl::Duration delay, std::function<void()> callback) = 0;

  // True when the timer was pending and now will not run. False when it ran, is running or never was: then its callback
  // may be under way, so an owner that is going away must guard what the callback touches (a weak_ptr). Thread-safe.
  virtual bool Cancel(TimerId timer) = 0;
};

}  // namespace aulm::gateway
