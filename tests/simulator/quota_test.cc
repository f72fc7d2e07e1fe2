#include "tests/simulator/quota.h"

#include <gtest/gtest.h>

namespace aulm::simulator {
namespace {

using Refusal = Quota::Refusal;

const absl::Time kNoon = absl::FromCivil(absl::CivilHour(2026, 5, 28, 12), absl::UTCTimeZone());
const absl::Time kMidnight = absl::FromCivil(absl::CivilDay(2026, 5, 29), absl::UTCTimeZone());

TEST(QuotaTest, CountsDownToZeroThenRefuses) {
  Quota quota(2, 0, kNoon);
  Quota::Slot slot;
  EXPECT_EQ(quota.Take(kNoon, slot), Refusal::kNone);
  EXPECT_EQ(quota.Read(Refusal::kNone, kNoon).remaining, 1);
  EXPECT_EQ(quota.Take(kNoon, slot), Refusal::kNone);
  EXPECT_EQ(quota.Read(Refusal::kNone, kNoon).remaining, 0);
  EXPECT_EQ(quota.Take(kNoon, slot), Refusal::kDaily);
  EXPECT_EQ(quota.Read(Refusal::kDaily, kNoon).limit, 2);
}

TEST(QuotaTest, TheDayEndsAtUtcMidnight) {
  Quota quota(1, 0, kNoon);
  Quota::Slot slot;
  quota.Take(kNoon, slot);
  EXPECT_EQ(quota.Read(Refusal::kNone, kNoon).reset, kMidnight);
  EXPECT_EQ(quota.Take(kMidnight - absl::Seconds(1), slot), Refusal::kDaily);
  EXPECT_EQ(quota.Take(kMidnight, slot), Refusal::kNone);
}

TEST(QuotaTest, ARefundGivesTheSlotBack) {
  Quota quota(1, 1, kNoon);
  Quota::Slot slot;
  quota.Take(kNoon, slot);
  quota.Refund(slot);
  EXPECT_EQ(quota.Take(kNoon, slot), Refusal::kNone);
}

TEST(QuotaTest, ARefundAfterTheWindowEndedChangesNothing) {
  Quota quota(5, 0, kNoon);
  Quota::Slot yesterday;
  Quota::Slot today;
  quota.Take(kNoon, yesterday);
  quota.Take(kMidnight, today);
  quota.Refund(yesterday);
  EXPECT_EQ(quota.Read(Refusal::kNone, kMidnight).remaining, 4);
}

TEST(QuotaTest, ATrialEndsAfterSevenDays) {
  Quota quota(100, 1, kNoon);
  Quota::Slot slot;
  EXPECT_EQ(quota.Take(kNoon, slot), Refusal::kNone);
  EXPECT_EQ(quota.Take(kNoon + absl::Hours(24 * 6), slot), Refusal::kTrial);
  EXPECT_EQ(quota.Read(Refusal::kTrial, kNoon).reset, kNoon + absl::Hours(24 * 7));
}

TEST(QuotaTest, OnTrialTheHeadersTellOfTheTrial) {
  Quota quota(100, 10, kNoon);
  EXPECT_EQ(quota.Read(Refusal::kNone, kNoon).limit, 10);
  EXPECT_EQ(quota.Read(Refusal::kDaily, kNoon).limit, 100);
}

TEST(QuotaTest, AWindowCanBeEndedOnDemand) {
  Quota quota(1, 0, kNoon);
  Quota::Slot slot;
  quota.Take(kNoon, slot);
  quota.Set(std::nullopt, std::nullopt, kNoon + absl::Seconds(1));
  EXPECT_EQ(quota.Take(kNoon, slot), Refusal::kDaily);
  EXPECT_EQ(quota.Take(kNoon + absl::Seconds(1), slot), Refusal::kNone);
}

}  // namespace
}  // namespace aulm::simulator
