#pragma once

#include <chrono>

#include "absl/time/time.h"

namespace aulm::gateway::client {

// A clock that nobody sets, for waits and intervals. Its epoch is any: compare and subtract only.
inline absl::Time MonotonicNow() {
  return absl::UnixEpoch() + absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch());
}

}  // namespace aulm::gateway::client
