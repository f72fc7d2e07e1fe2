#pragma once

#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/random.h"

namespace aulm::gateway {

// When a send that certainly was not made is tried again by the gateway itself: never made a connection, or aulm's 503
// with Retry-After. Nothing else, ever: a request that was written is not repeated. Shared by all sends; thread-safe.
class RetryPolicy {
 public:
  struct Options {
    int max_tries = 3;  // the first included
    absl::Duration first_delay = absl::Milliseconds(100);
    double budget = 0.1;  // retries for each send, in the long run
    double burst = 10;    // retries that may be saved up
  };

  // `random` outlives the policy.
  RetryPolicy(Options options, Random& random) : options_(options), random_(random), saved_(options.burst) {}

  // A send begins: it earns its share of the budget.
  void NoteSend();

  // How long to wait before the next try, after `tries` that ended with `failure`; nullopt: do not try again. The wait
  // is jittered over its full range (at least Retry-After), and fits before `deadline` as seen from `now`.
  std::optional<absl::Duration> NextTry(const absl::Status& failure, int tries, absl::Time now, absl::Time deadline);

 private:
  const Options options_;
  Random& random_;
  absl::Mutex mutex_;
  double saved_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
