#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace aulm::gateway {

// The account's quota as the x-ratelimit-* headers of one answer told it (aulm API, "Response headers").
struct RateLimit {
  int64_t limit = 0;                // messages allowed in the window
  int64_t remaining = 0;            // messages left after that request, refunds included
  std::optional<absl::Time> reset;  // when the window starts anew; absent when aulm said nothing readable
};

}  // namespace aulm::gateway
