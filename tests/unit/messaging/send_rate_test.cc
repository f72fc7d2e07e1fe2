#include "service/messaging/send_rate.h"

#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"

namespace aulm::gateway {
namespace {

TEST(SendRateTest, ASecondsSendsMayComeAtOnce) {
  FakeClock clock;
  SendRate rate(5, clock);
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(rate.Take().ok()) << i;
  EXPECT_FALSE(rate.Take().ok());
}

TEST(SendRateTest, ARefusalSaysWhenTheNextMayBegin) {
  FakeClock clock;
  SendRate rate(5, clock);
  while (rate.Take().ok()) continue;

  const absl::Status refusal = rate.Take();

  EXPECT_TRUE(HasReason(refusal, GatewayReason::kOverloaded));
  EXPECT_EQ(OutcomeOf(refusal), Outcome::kNotSent);
  EXPECT_EQ(RetryDelayOf(refusal), absl::Milliseconds(200));
  clock.Advance(absl::Milliseconds(199));
  EXPECT_FALSE(rate.Take().ok());
  clock.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(rate.Take().ok());
  EXPECT_FALSE(rate.Take().ok());
}

TEST(SendRateTest, LessThanOneInASecondIsOneAtATime) {
  FakeClock clock;
  SendRate rate(0.5, clock);
  EXPECT_TRUE(rate.Take().ok());
  EXPECT_EQ(RetryDelayOf(rate.Take()), absl::Seconds(2));
  clock.Advance(absl::Hours(1));
  EXPECT_TRUE(rate.Take().ok());
  EXPECT_FALSE(rate.Take().ok());
}

TEST(SendRateTest, AverageHoldsOverTime) {
  FakeClock clock;
  SendRate rate(10, clock);
  int taken = 0;
  for (int millisecond = 0; millisecond < 60'000; ++millisecond) {
    if (rate.Take().ok()) ++taken;
    clock.Advance(absl::Milliseconds(1));
  }
  EXPECT_GE(taken, 600);
  EXPECT_LE(taken, 610);
}

}  // namespace
}  // namespace aulm::gateway
