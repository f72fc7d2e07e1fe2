#include "tests/simulator/timestamps.h"

#include <ctime>

namespace aulm::simulator {

std::string Iso8601(absl::Time time) { return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", time, absl::UTCTimeZone()); }

int64_t MonotonicMicros() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

absl::Time NextUtcMidnight(absl::Time time) {
  return absl::FromCivil(absl::ToCivilDay(time, absl::UTCTimeZone()) + 1, absl::UTCTimeZone());
}

}  // namespace aulm::simulator
