#pragma once

#include <string>

#include "absl/time/time.h"

namespace aulm::gateway {

// A duration as proto3 JSON writes it: seconds, at most nine decimals, and an "s": "3600s", "0.25s".
std::string ToJsonDuration(absl::Duration duration);

}  // namespace aulm::gateway
