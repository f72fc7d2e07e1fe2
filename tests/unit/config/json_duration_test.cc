#include "service/config/json_duration.h"

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

TEST(JsonDurationTest, WritesSecondsWithAsManyDecimalsAsNeeded) {
  EXPECT_EQ(ToJsonDuration(absl::ZeroDuration()), "0s");
  EXPECT_EQ(ToJsonDuration(absl::Hours(24 * 30)), "2592000s");
  EXPECT_EQ(ToJsonDuration(absl::Milliseconds(250)), "0.25s");
  EXPECT_EQ(ToJsonDuration(absl::Nanoseconds(1'000'000'001)), "1.000000001s");
  EXPECT_EQ(ToJsonDuration(-absl::Milliseconds(1500)), "-1.5s");
}

}  // namespace
}  // namespace aulm::gateway
