#pragma once

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// Stops the calls to one base URL while aulm cannot be reached there, so that sends fail at once instead of each
// waiting for a connection that will not come. While it is open a status read is let through now and then, never a
// send: a read that is answered, with whatever HTTP status, closes it. Shared by the accounts of one base URL.
// Thread-safe.
class ReachabilityBreaker {
 public:
  struct Options {
    int failures = 5;                                  // calls in a row without an answer that open it
    absl::Duration first_probe = absl::Seconds(1);     // from opening to the first status read, doubled after each
    absl::Duration longest_probe = absl::Seconds(15);  // between two status reads at most
  };

  // What to do with a call.
  struct Verdict {
    bool call = true;                                   // make it
    bool probe = false;                                 // it is time for a status read
    absl::Duration retry_after = absl::ZeroDuration();  // when refused: when to ask again
  };

  ReachabilityBreaker() : ReachabilityBreaker(Options()) {}
  explicit ReachabilityBreaker(const Options& options);

  // A read that is due is the probe, and is let through. A send never is: where one is refused and `probe` is set, make
  // a status read.
  Verdict Ask(bool is_read, absl::Time now);

  // A call ended. True when that opened or closed the breaker.
  bool NoteAnswered();
  bool NoteUnreachable(absl::Time now);

  bool open() const;

 private:
  const Options options_;
  mutable absl::Mutex mutex_;
  int failures_in_a_row_ ABSL_GUARDED_BY(mutex_) = 0;
  bool open_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Duration probe_delay_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_probe_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
