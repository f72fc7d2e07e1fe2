#include "tests/simulator/retry_policy.h"

#include <gtest/gtest.h>

namespace aulm::simulator {
namespace {

using Verdict = RetryPolicy::Verdict;

const absl::Time kNow = absl::FromUnixSeconds(1'780'000'000);

RetryPolicy Policy() {
  RetryPolicy policy;
  policy.base = absl::Milliseconds(100);
  policy.ceiling = absl::Milliseconds(500);
  return policy;
}

TEST(RetryPolicyTest, AnyTwoHundredIsSuccess) {
  for (int status : {200, 201, 202, 204, 299}) EXPECT_EQ(RetryPolicy::Judge(status), Verdict::kDelivered) << status;
}

TEST(RetryPolicyTest, FourHundredsAreFinalBut429) {
  for (int status : {400, 401, 404, 410, 428, 430, 499}) {
    EXPECT_EQ(RetryPolicy::Judge(status), Verdict::kPermanentFailure) << status;
  }
  EXPECT_EQ(RetryPolicy::Judge(429), Verdict::kRetry);
}

TEST(RetryPolicyTest, FiveHundredsAndNoAnswerAreRetried) {
  for (int status : {0, 500, 502, 503, 504}) EXPECT_EQ(RetryPolicy::Judge(status), Verdict::kRetry) << status;
}

TEST(RetryPolicyTest, BackoffDoublesUpToTheCeiling) {
  EXPECT_EQ(Policy().Delay(1, 500, "", kNow), absl::Milliseconds(100));
  EXPECT_EQ(Policy().Delay(2, 500, "", kNow), absl::Milliseconds(200));
  EXPECT_EQ(Policy().Delay(3, 500, "", kNow), absl::Milliseconds(400));
  EXPECT_EQ(Policy().Delay(4, 500, "", kNow), absl::Milliseconds(500));
  EXPECT_EQ(Policy().Delay(1'000'000, 500, "", kNow), absl::Milliseconds(500));
}

TEST(RetryPolicyTest, RetryAfterInSecondsIsHonouredOn429) {
  EXPECT_EQ(Policy().Delay(1, 429, "7", kNow), absl::Seconds(7));
  EXPECT_EQ(Policy().Delay(1, 429, "0", kNow), absl::ZeroDuration());
}

TEST(RetryPolicyTest, RetryAfterAsAnHttpDateIsHonouredOn429) {
  const std::string date = absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", kNow + absl::Seconds(90), absl::UTCTimeZone());
  EXPECT_EQ(Policy().Delay(1, 429, date, kNow), absl::Seconds(90));
}

TEST(RetryPolicyTest, ADateInThePastMeansAtOnce) {
  EXPECT_EQ(Policy().Delay(1, 429, "Wed, 21 Oct 2015 07:28:00 GMT", kNow), absl::ZeroDuration());
}

TEST(RetryPolicyTest, RetryAfterIsCappedAtOneHour) {
  EXPECT_EQ(Policy().Delay(1, 429, "86400", kNow), absl::Hours(1));
  EXPECT_EQ(Policy().Delay(1, 429, "Fri, 31 Dec 2100 23:59:59 GMT", kNow), absl::Hours(1));
}

TEST(RetryPolicyTest, RetryAfterIsIgnoredOnOtherStatuses) {
  EXPECT_EQ(Policy().Delay(1, 503, "7", kNow), absl::Milliseconds(100));
}

TEST(RetryPolicyTest, AnUnreadableRetryAfterFallsBackToBackoff) {
  EXPECT_EQ(Policy().Delay(2, 429, "soon", kNow), absl::Milliseconds(200));
  EXPECT_EQ(Policy().Delay(2, 429, "-3", kNow), absl::Milliseconds(200));
}

}  // namespace
}  // namespace aulm::simulator
