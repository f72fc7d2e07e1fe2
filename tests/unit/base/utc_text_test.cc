#include "service/base/utc_text.h"

#include <gtest/gtest.h>

#include "absl/time/time.h"

namespace aulm::gateway {
namespace {

TEST(UtcTextTest, SecondsAreAsAbseilWritesThem) {
  for (const int64_t second : {int64_t{0}, int64_t{951782399}, int64_t{951782400}, int64_t{1780000000},
                               int64_t{4102444799}, int64_t{-1}, int64_t{253402300799}}) {
    const absl::Time time = absl::FromUnixSeconds(second);
    EXPECT_EQ(UtcSeconds(time), absl::FormatTime("%E4Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone()));
  }
}

TEST(UtcTextTest, MillisecondsAreCutOffNotRounded) {
  const absl::Time second = absl::FromUnixSeconds(1780000000);
  EXPECT_EQ(UtcMilliseconds(second), "2026-05-28T20:26:40.000Z");
  EXPECT_EQ(UtcMilliseconds(second + absl::Microseconds(7999)), "2026-05-28T20:26:40.007Z");
  EXPECT_EQ(UtcMilliseconds(second + absl::Microseconds(999'999)), "2026-05-28T20:26:40.999Z");
  EXPECT_EQ(UtcSeconds(second + absl::Microseconds(999'999)), "2026-05-28T20:26:40Z");
}

TEST(UtcTextTest, TimesBefore1970CountUpwardsToo) {
  EXPECT_EQ(UtcMilliseconds(absl::UnixEpoch() - absl::Milliseconds(1)), "1969-12-31T23:59:59.999Z");
}

}  // namespace
}  // namespace aulm::gateway
