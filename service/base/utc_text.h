#pragma once

#include <string>

#include "absl/time/time.h"

namespace aulm::gateway {

// "2026-05-28T10:15:42Z", the rest of the second cut off; for years 0 to 9999. Where a time is written with every call:
// absl::FormatTime takes some ten times as long.
std::string UtcSeconds(absl::Time time);

// The same with milliseconds: "2026-05-28T10:15:42.123Z".
std::string UtcMilliseconds(absl::Time time);

}  // namespace aulm::gateway
