#pragma once

#include "absl/random/random.h"
#include "absl/time/time.h"

namespace aulm::gateway::client {

// How long to wait before each attempt after a failed one: doubling up to a bound, jittered so that a gateway's
// clients do not come back all at once. Not thread-safe.
class Backoff {
 public:
  // No delay is longer than `least` at first, nor ever longer than `most`. Both positive.
  Backoff(absl::Duration least, absl::Duration most) : least_(least), most_(most), next_(least) {}

  // The next delay: between a half and the whole of a value that doubles each time.
  absl::Duration Next();

  // `wait` and up to a fifth more: for a wait that all clients of a gateway were told alike.
  absl::Duration Spread(absl::Duration wait) { return wait * absl::Uniform(random_, 1.0, 1.2); }

  // An attempt came through: start over.
  void Reset() { next_ = least_; }

 private:
  const absl::Duration least_;
  const absl::Duration most_;
  absl::Duration next_;
  absl::BitGen random_;
};

}  // namespace aulm::gateway::client
