#include "service/aulm/call_gate.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/log.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kTooManyAuthFailures = "TOO_MANY_AUTH_FAILURES";

// aulm's codes that say that the key itself is no good.
bool RefusesKey(absl::string_view reason) {
  return reason == "INVALID_API_KEY" || reason == "API_KEY_REVOKED" || reason == "API_KEY_EXPIRED" ||
         reason == "ACCOUNT_DEACTIVATED";
}

// True when the result shows that aulm took the key: success, or an error that aulm gives only after it looked at the
// key.
bool AcceptsKey(const absl::Status& result, const std::optional<ErrorDetails>& details) {
  if (result.ok()) return true;
  return details.has_value() && details->domain == kAulmDomain &&
         (absl::IsNotFound(result) || absl::IsPermissionDenied(result) || absl::IsInvalidArgument(result) ||
          details->reason == "SESSION_NOT_READY" || details->reason == "DAILY_QUOTA_EXCEEDED" ||
          details->reason == "TRIAL_QUOTA_EXCEEDED");
}

}  // namespace

void AddressCooldown::HoldUntil(absl::Time until) {
  absl::MutexLock lock(&mutex_);
  until_ = std::max(until_, until);
}

absl::Time AddressCooldown::until() const {
  absl::MutexLock lock(&mutex_);
  return until_;
}

absl::Duration AddressCooldown::Remaining(absl::Time now) const {
  absl::MutexLock lock(&mutex_);
  return std::max(absl::ZeroDuration(), until_ - now);
}

CallGate::CallGate(std::string account, std::shared_ptr<AddressCooldown> address, const Clock& clock)
    : CallGate(std::move(account), std::move(address), clock, Options()) {}

CallGate::CallGate(std::string account, std::shared_ptr<AddressCooldown> address, const Clock& clock, Options options)
    : account_(std::move(account)), address_(std::move(address)), clock_(clock), options_(options) {}

absl::Status CallGate::Admit(uint64_t key_generation) {
  const absl::Time now = clock_.Now();
  if (const absl::Duration cooldown = address_->Remaining(now); cooldown > absl::ZeroDuration()) {
    absl::Status status = ErrorWithInfo(
        absl::StatusCode::kResourceExhausted, kAulmDomain, kTooManyAuthFailures,
        "aulm holds off this address after too many refused keys; it was not asked again. Check the key files of every "
        "account");
    SetRetryDelay(status, cooldown);
    return status;
  }
  std::string because;
  {
    absl::MutexLock lock(&mutex_);
    if (key_generation != generation_) {
      generation_ = std::max(generation_, key_generation);
      refused_because_.reset();
    }
    if (!refused_because_.has_value()) return absl::OkStatus();
    if (now >= next_probe_) {
      next_probe_ = now + options_.probe_interval;
      return absl::OkStatus();
    }
    because = *refused_because_;
  }
  absl::Status status =
      GatewayError(GatewayReason::kAccountSuspended,
                   absl::StrCat("aulm refuses the key of account \"", account_, "\" (", because,
                                "); it was not asked again. Put a valid key into the account's key file"),
                   {{"aulm_reason", because}});
  SetPreconditionFailure(status, "API_KEY", absl::StrCat("account:", account_),
                         "put a valid key into the account's key file");
  return status;
}

void CallGate::Observe(uint64_t key_generation, const absl::Status& result) {
  const std::optional<ErrorDetails> details = result.ok() ? std::nullopt : DetailsOf(result);
  const bool from_aulm = details.has_value() && details->domain == kAulmDomain;
  if (from_aulm && details->reason == kTooManyAuthFailures) {
    const absl::Duration cooldown = RetryDelayOf(result).value_or(options_.default_cooldown);
    address_->HoldUntil(clock_.Now() + cooldown);
    LogLine(LogLevel::kError, "aulm_cooldown").Field("account", account_).Field("cooldown_ms", cooldown);
    return;
  }
  const bool refused = from_aulm && RefusesKey(details->reason);
  if (!refused && !AcceptsKey(result, details)) return;
  bool was_refused;
  {
    absl::MutexLock lock(&mutex_);
    if (key_generation < generation_) return;  // about a key that is gone
    generation_ = key_generation;
    was_refused = refused_because_.has_value();
    if (refused) {
      if (!was_refused) next_probe_ = clock_.Now() + options_.probe_interval;
      refused_because_ = details->reason;
    } else {
      refused_because_.reset();
    }
  }
  if (refused && !was_refused) {
    LogLine(LogLevel::kError, "account_suspended").Field("account", account_).Field("reason", details->reason);
  } else if (!refused && was_refused) {
    LogLine(LogLevel::kInfo, "account_resumed").Field("account", account_);
  }
}

bool CallGate::suspended() const {
  absl::MutexLock lock(&mutex_);
  return refused_because_.has_value();
}

}  // namespace aulm::gateway
