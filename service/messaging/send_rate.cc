#include "service/messaging/send_rate.h"

#include <algorithm>

#include "service/base/status_details.h"

namespace aulm::gateway {

SendRate::SendRate(double per_second, const Clock& clock)
    : interval_(absl::Seconds(1 / per_second)), burst_(std::max(interval_, absl::Seconds(1))), clock_(clock) {}

absl::Status SendRate::Take() {
  const absl::Time now = clock_.Now();
  absl::Duration wait;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time full_at = std::max(full_at_, now) + interval_;
    wait = full_at - now - burst_;
    if (wait <= absl::ZeroDuration()) {
      full_at_ = full_at;
      return absl::OkStatus();
    }
  }
  absl::Status refusal =
      GatewayError(GatewayReason::kOverloaded,
                   "this caller sends more in a second than it may (callers[].sends_per_second); it was not sent");
  SetOutcome(refusal, Outcome::kNotSent);
  SetRetryDelay(refusal, wait);
  return refusal;
}

}  // namespace aulm::gateway
