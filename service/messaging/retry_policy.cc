#include "service/messaging/retry_policy.h"

#include <algorithm>
#include <string>

#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

// aulm's 503 is "refunded": it did not take the message. Only with Retry-After is a time known at which to ask again.
bool IsRetryable(const absl::Status& failure) {
  if (OutcomeOf(failure) != Outcome::kNotSent || !absl::IsUnavailable(failure)) return false;
  if (HasReason(failure, GatewayReason::kConnectFailed)) return true;
  return ReasonOf(failure) == "SERVICE_UNAVAILABLE" && RetryDelayOf(failure).has_value();
}

}  // namespace

void RetryPolicy::NoteSend() {
  absl::MutexLock lock(&mutex_);
  saved_ = std::min(options_.burst, saved_ + options_.budget);
}

std::optional<absl::Duration> RetryPolicy::NextTry(const absl::Status& failure, int tries, absl::Time now,
                                                   absl::Time deadline) {
  if (tries >= options_.max_tries || !IsRetryable(failure)) return std::nullopt;
  const absl::Duration jitter = random_.Uniform() * options_.first_delay * static_cast<double>(1 << (tries - 1));
  const absl::Duration wait = RetryDelayOf(failure).value_or(absl::ZeroDuration()) + jitter;
  if (now + wait >= deadline) return std::nullopt;
  absl::MutexLock lock(&mutex_);
  if (saved_ < 1) return std::nullopt;
  saved_ -= 1;
  return wait;
}

}  // namespace aulm::gateway
