#include "tests/simulator/retry_policy.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {
namespace {

constexpr absl::Duration kRetryAfterCap = absl::Hours(1);

std::optional<absl::Duration> ReadRetryAfter(absl::string_view text, absl::Time now) {
  if (text.empty()) return std::nullopt;
  int64_t seconds = 0;
  if (absl::SimpleAtoi(text, &seconds)) {
    if (seconds < 0) return std::nullopt;
    return absl::Seconds(seconds);
  }
  absl::Time date;
  std::string error;
  if (!absl::ParseTime("%a, %d %b %Y %H:%M:%S GMT", std::string(text), &date, &error)) return std::nullopt;
  return std::max(absl::ZeroDuration(), date - now);
}

}  // namespace

RetryPolicy::Verdict RetryPolicy::Judge(int status) {
  if (status >= 200 && status < 300) return Verdict::kDelivered;
  if (status >= 400 && status < 500 && status != 429) return Verdict::kPermanentFailure;
  return Verdict::kRetry;
}

absl::Duration RetryPolicy::Delay(int attempt, int status, absl::string_view retry_after, absl::Time now) const {
  if (status == 429) {
    if (const auto asked = ReadRetryAfter(retry_after, now)) return std::min(*asked, kRetryAfterCap);
  }
  absl::Duration delay = base;
  for (int i = 1; i < attempt && delay < ceiling; ++i) delay *= 2;
  return std::min(delay, ceiling);
}

}  // namespace aulm::simulator
