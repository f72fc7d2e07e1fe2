#pragma once

#include <map>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::simulator {

// The brute-force cooldown of an address (`too_many_auth_failures`): after a number of failed authentications in a row
// the address gets 429 with Retry-After for a while, whatever key it then shows. How many and how long is not
// documented by aulm, so both are settings. Not thread-safe.
class AuthThrottle {
 public:
  // `failure_limit` 0: never.
  AuthThrottle(int failure_limit, absl::Duration cooldown) : failure_limit_(failure_limit), cooldown_(cooldown) {}

  // What is left of the address's cooldown; zero when it may go on.
  absl::Duration CooldownLeft(absl::string_view address, absl::Time now);

  void RecordFailure(absl::string_view address, absl::Time now);
  void RecordSuccess(absl::string_view address);

  // Forgets every failure and cooldown.
  void Clear() { addresses_.clear(); }

 private:
  struct Failures {
    int in_a_row = 0;
    absl::Time cooldown_until = absl::InfinitePast();
  };

  const int failure_limit_;
  const absl::Duration cooldown_;
  std::map<std::string, Failures, std::less<>> addresses_;
};

}  // namespace aulm::simulator
