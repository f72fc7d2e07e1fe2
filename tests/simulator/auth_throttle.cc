#include "tests/simulator/auth_throttle.h"

#include "absl/strings/string_view.h"

namespace aulm::simulator {

absl::Duration AuthThrottle::CooldownLeft(absl::string_view address, absl::Time now) {
  const auto it = addresses_.find(address);
  if (it == addresses_.end() || it->second.cooldown_until <= now) return absl::ZeroDuration();
  return it->second.cooldown_until - now;
}

void AuthThrottle::RecordFailure(absl::string_view address, absl::Time now) {
  if (failure_limit_ == 0) return;
  Failures& failures = addresses_[std::string(address)];
  if (++failures.in_a_row < failure_limit_) return;
  failures = {0, now + cooldown_};
}

void AuthThrottle::RecordSuccess(absl::string_view address) {
  const auto it = addresses_.find(address);
  if (it != addresses_.end()) addresses_.erase(it);
}

}  // namespace aulm::simulator
