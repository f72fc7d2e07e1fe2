// Ids that stand in the order of their time and have the form of a version 7 UUID.
#include "service/base/time_ordered_uuid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "service/base/system_random.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

using ::testing::MatchesRegex;
using ::testing::StartsWith;

TEST(TimeOrderedUuidTest, BeginsWithTheMillisecondsAndIsVersionSeven) {
  SystemRandom random;
  // The example of RFC 9562, "Example of a UUIDv7 Value".
  const std::string uuid = TimeOrderedUuid(absl::FromUnixMillis(1645557742000), random);

  EXPECT_THAT(uuid, StartsWith("017f22e2-79b0-7"));
  EXPECT_TRUE(IsUuid(uuid)) << uuid;
  EXPECT_THAT(uuid, MatchesRegex("[0-9a-f]+-[0-9a-f]+-7[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
}

TEST(TimeOrderedUuidTest, TwoOfOneMomentDiffer) {
  SystemRandom random;
  const absl::Time now = absl::FromUnixMillis(1);
  EXPECT_NE(TimeOrderedUuid(now, random), TimeOrderedUuid(now, random));
}

TEST(TimeOrderedUuidTest, ALaterOneStandsBehind) {
  SystemRandom random;
  for (int64_t ms = 0; ms < 2000; ++ms) {
    EXPECT_LT(TimeOrderedUuid(absl::FromUnixMillis(1'700'000'000'000 + ms), random),
              TimeOrderedUuid(absl::FromUnixMillis(1'700'000'000'001 + ms), random));
  }
}

}  // namespace
}  // namespace aulm::gateway
