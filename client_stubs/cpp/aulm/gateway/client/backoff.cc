#include "aulm/gateway/client/backoff.h"

#include <algorithm>

namespace aulm::gateway::client {

absl::Duration Backoff::Next() {
  const absl::Duration whole = std::min(next_, most_);
  next_ = std::min(whole * 2, most_);
  return whole * absl::Uniform(random_, 0.5, 1.0);
}

}  // namespace aulm::gateway::client
