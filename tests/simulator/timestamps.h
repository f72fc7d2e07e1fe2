#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace aulm::simulator {

// `2026-05-28T10:15:42.000Z`: UTC with milliseconds, as aulm writes every time.
std::string Iso8601(absl::Time time);

// Microseconds of CLOCK_MONOTONIC, which every process of one machine shares: a client's own reading can be compared.
int64_t MonotonicMicros();

// The first UTC midnight after `time`.
absl::Time NextUtcMidnight(absl::Time time);

}  // namespace aulm::simulator
