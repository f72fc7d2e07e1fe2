#pragma once

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::simulator {

// When a webhook is sent again (aulm API, "Responding"). The base, the ceiling and the number of attempts are not
// documented by aulm, so they are settings.
struct RetryPolicy {
  // Of an attempt.
  enum class Verdict { kDelivered, kPermanentFailure, kRetry };

  absl::Duration base = absl::Seconds(1);   // before the second attempt; doubled before each later one
  absl::Duration ceiling = absl::Hours(1);  // of the doubling
  int max_attempts = 12;                    // 0: without end

  // `status` is the HTTP status, 0 when no answer came. 2xx is success; 4xx but 429 is permanent; 5xx, 429 and no
  // answer are retried. A 3xx or 1xx is not documented: retried, never followed.
  static Verdict Judge(int status);

  // The wait after attempt number `attempt` (from 1). `retry_after` is the header of a 429 (seconds or an HTTP date),
  // honoured up to 1 hour; empty or unreadable: backoff.
  absl::Duration Delay(int attempt, int status, absl::string_view retry_after, absl::Time now) const;
};

}  // namespace aulm::simulator
