#include "tests/simulator/quota.h"

#include <algorithm>

#include "tests/simulator/timestamps.h"

namespace aulm::simulator {
namespace {

constexpr absl::Duration kTrialWindow = absl::Hours(7 * 24);

}  // namespace

Quota::Quota(int64_t daily_limit, int64_t trial_limit, absl::Time now)
    : daily_{daily_limit, 0, NextUtcMidnight(now)}, trial_{trial_limit, 0, now + kTrialWindow} {}

void Quota::Roll(absl::Time now) {
  if (now >= daily_.reset) daily_ = {daily_.limit, 0, NextUtcMidnight(now)};
  // A trial does not start anew by itself; a window that the control API moved into the past does, so that a test can
  // see what follows a reset.
  if (trial_.limit > 0 && now >= trial_.reset) trial_ = {trial_.limit, 0, now + kTrialWindow};
}

Quota::Refusal Quota::Take(absl::Time now, Slot& slot) {
  Roll(now);
  if (trial_.limit > 0 && trial_.used >= trial_.limit) return Refusal::kTrial;
  if (daily_.used >= daily_.limit) return Refusal::kDaily;
  ++daily_.used;
  if (trial_.limit > 0) ++trial_.used;
  slot = {daily_.reset, trial_.reset};
  return Refusal::kNone;
}

void Quota::Refund(const Slot& slot) {
  if (slot.daily_reset == daily_.reset && daily_.used > 0) --daily_.used;
  if (trial_.limit > 0 && slot.trial_reset == trial_.reset && trial_.used > 0) --trial_.used;
}

Quota::Reading Quota::Read(Refusal refusal, absl::Time now) {
  Roll(now);
  const bool trial = refusal == Refusal::kTrial || (refusal == Refusal::kNone && trial_.limit > 0);
  const Window& window = trial ? trial_ : daily_;
  return {window.limit, std::max<int64_t>(0, window.limit - window.used), window.reset};
}

void Quota::Set(std::optional<int64_t> daily_limit, std::optional<int64_t> daily_used,
                std::optional<absl::Time> daily_reset) {
  if (daily_limit) daily_.limit = *daily_limit;
  if (daily_used) daily_.used = *daily_used;
  if (daily_reset) daily_.reset = *daily_reset;
}

void Quota::SetTrial(std::optional<int64_t> limit, std::optional<int64_t> used, std::optional<absl::Time> reset) {
  if (limit) trial_.limit = *limit;
  if (used) trial_.used = *used;
  if (reset) trial_.reset = *reset;
}

}  // namespace aulm::simulator
