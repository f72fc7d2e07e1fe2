#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// How many sends one caller may begin in a second: a bucket that holds a second's sends, at least one, and fills
// evenly. A send that is answered from the ledger is none. Of this replica alone. Thread-safe; never blocks.
class SendRate {
 public:
  // `per_second` is above 0. The clock outlives it.
  SendRate(double per_second, const Clock& clock);

  // Takes one. RESOURCE_EXHAUSTED OVERLOADED, outcome not_sent, with RetryInfo until the next, when there is none.
  absl::Status Take() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  const absl::Duration interval_;  // between two sends, on average
  const absl::Duration burst_;     // what the bucket holds, as the time in which it fills
  const Clock& clock_;

  absl::Mutex mutex_;
  absl::Time full_at_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();  // when the bucket is full again
};

}  // namespace aulm::gateway
