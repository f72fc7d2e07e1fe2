#include "service/http/log_allowance.h"

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

const absl::Time kStart = absl::FromUnixSeconds(1'780'000'000);

TEST(LogAllowanceTest, GrantsSoManyLinesAWindow) {
  LogAllowance allowance(2, absl::Seconds(10));
  EXPECT_EQ(allowance.Take(kStart), 0u);
  EXPECT_EQ(allowance.Take(kStart), 0u);
  EXPECT_EQ(allowance.Take(kStart + absl::Seconds(9)), std::nullopt);
}

TEST(LogAllowanceTest, NextWindowTellsHowManyWereLeftOut) {
  LogAllowance allowance(1, absl::Seconds(10));
  allowance.Take(kStart);
  allowance.Take(kStart);
  allowance.Take(kStart);
  EXPECT_EQ(allowance.Take(kStart + absl::Seconds(10)), 2u);
  EXPECT_EQ(allowance.Take(kStart + absl::Seconds(20)), 0u);
}

TEST(LogAllowanceTest, ClockThatGoesBackDoesNotSilence) {
  LogAllowance allowance(1, absl::Seconds(10));
  allowance.Take(kStart);
  EXPECT_EQ(allowance.Take(kStart - absl::Hours(1)), 0u);
}

}  // namespace
}  // namespace aulm::gateway
