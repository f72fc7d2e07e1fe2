#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// The cooldown that aulm puts on our address after too many refused keys (too_many_auth_failures). It holds for every
// account of one base URL: make one object a base URL and give it to each account's CallGate. Thread-safe.
class AddressCooldown {
 public:
  // No calls until then. A cooldown that runs longer already stays.
  void HoldUntil(absl::Time until);

  // When the last one ends or ended; InfinitePast when there was none.
  absl::Time until() const;

  // What is left of it; zero when there is none.
  absl::Duration Remaining(absl::Time now) const;

 private:
  mutable absl::Mutex mutex_;
  absl::Time until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
};

// Stops one account's calls while they can only do harm: while aulm refuses its key (until the key's file changes, with
// one call let through every 5 minutes to see whether the key works again), and during its address's cooldown. Asked by
// AulmClient before each call and told the result of each. Thread-safe; never blocks.
class CallGate {
 public:
  struct Options {
    absl::Duration probe_interval = absl::Minutes(5);
    // The cooldown's length where aulm gave no Retry-After.
    absl::Duration default_cooldown = absl::Minutes(1);
  };

  // `clock` must outlive this.
  CallGate(std::string account, std::shared_ptr<AddressCooldown> address, const Clock& clock, Options options);
  CallGate(std::string account, std::shared_ptr<AddressCooldown> address, const Clock& clock);

  // OK: make the call with the key of that generation, and tell Observe its result. Otherwise the refusal:
  // FAILED_PRECONDITION ACCOUNT_SUSPENDED, or RESOURCE_EXHAUSTED TOO_MANY_AUTH_FAILURES with the rest of the cooldown.
  absl::Status Admit(uint64_t key_generation);

  // The result of a call made with that key: OK, or what aulm_error made of aulm's answer or of the lack of one.
  void Observe(uint64_t key_generation, const absl::Status& result);

  // True while aulm refuses the account's key.
  bool suspended() const;

 private:
  const std::string account_;
  const std::shared_ptr<AddressCooldown> address_;
  const Clock& clock_;
  const Options options_;

  mutable absl::Mutex mutex_;
  // The newest key that a call was made with.
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  // Why aulm refuses the key of that generation (API_KEY_REVOKED …); absent while it does not.
  std::optional<std::string> refused_because_ ABSL_GUARDED_BY(mutex_);
  absl::Time next_probe_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
