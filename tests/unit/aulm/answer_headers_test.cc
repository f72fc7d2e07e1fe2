// aulm's headers: quotas, both forms of Retry-After, ISO times, and everything that is none of these.
#include "service/aulm/answer_headers.h"

#include <gtest/gtest.h>

#include <string>

namespace aulm::gateway {
namespace {

const absl::Time kNow = absl::FromCivil(absl::CivilSecond(2026, 5, 28, 10, 0, 0), absl::UTCTimeZone());

HttpResponse With(std::vector<std::pair<std::string, std::string>> headers) {
  return HttpResponse{429, std::move(headers), ""};
}

std::optional<absl::Duration> RetryAfter(std::string value) {
  return ReadRetryAfter(With({{"retry-after", std::move(value)}}), kNow);
}

std::optional<absl::Time> Reset(std::string value) {
  return ReadRateLimit(With({{"x-ratelimit-limit", "1"}, {"x-ratelimit-remaining", "1"}, {"x-ratelimit-reset", value}}))
      ->reset;
}

TEST(ReadRateLimitTest, ReadsAllThree) {
  const auto limit = ReadRateLimit(With({{"x-ratelimit-limit", "1000"},
                                         {"x-ratelimit-remaining", "999"},
                                         {"x-ratelimit-reset", "2026-05-29T00:00:00.000Z"}}));
  ASSERT_TRUE(limit.has_value());
  EXPECT_EQ(limit->limit, 1000);
  EXPECT_EQ(limit->remaining, 999);
  EXPECT_EQ(limit->reset, kNow + absl::Hours(14));
}

TEST(ReadRateLimitTest, NoHeadersNoLimit) { EXPECT_FALSE(ReadRateLimit(With({})).has_value()); }

TEST(ReadRateLimitTest, HalfOfItIsNoLimit) {
  EXPECT_FALSE(ReadRateLimit(With({{"x-ratelimit-limit", "1000"}})).has_value());
  EXPECT_FALSE(ReadRateLimit(With({{"x-ratelimit-remaining", "9"}})).has_value());
}

TEST(ReadRateLimitTest, WordsAreNoLimit) {
  EXPECT_FALSE(ReadRateLimit(With({{"x-ratelimit-limit", "many"}, {"x-ratelimit-remaining", "9"}})).has_value());
  EXPECT_FALSE(
      ReadRateLimit(With({{"x-ratelimit-limit", "99999999999999999999"}, {"x-ratelimit-remaining", "9"}})).has_value());
}

TEST(ReadRateLimitTest, ResetIsAnIsoTimeInAnyForm) {
  const absl::Time midnight = kNow + absl::Hours(14);
  EXPECT_EQ(Reset("2026-05-29T00:00:00Z"), midnight);
  EXPECT_EQ(Reset("2026-05-29T00:00:00.000Z"), midnight);
  EXPECT_EQ(Reset("2026-05-29T00:00:00.500Z"), midnight + absl::Milliseconds(500));
  EXPECT_EQ(Reset("2026-05-29T00:00:00.123456Z"), midnight + absl::Microseconds(123456));
  EXPECT_EQ(Reset("2026-05-29T03:00:00+03:00"), midnight);
  EXPECT_EQ(Reset("2024-02-29T12:34:56Z"), absl::FromUnixSeconds(1709210096));
}

TEST(ReadRateLimitTest, AnUnreadableResetIsAbsentAndTheRestStays) {
  for (const char* text : {"", "tomorrow", "2026-05-29", "2026-02-31T00:00:00Z", "2026-13-01T00:00:00Z",
                           "2026-05-29T24:30:00Z", "infinite-future", "1780012800"}) {
    EXPECT_EQ(Reset(text), std::nullopt) << text;
  }
}

TEST(ReadRetryAfterTest, Seconds) {
  EXPECT_EQ(RetryAfter("0"), absl::ZeroDuration());
  EXPECT_EQ(RetryAfter("120"), absl::Minutes(2));
  EXPECT_EQ(RetryAfter("99999999999999999999999"), absl::InfiniteDuration());
}

TEST(ReadRetryAfterTest, HttpDateInAllThreeForms) {
  EXPECT_EQ(RetryAfter("Thu, 28 May 2026 10:01:00 GMT"), absl::Minutes(1));
  EXPECT_EQ(RetryAfter("Thursday, 28-May-26 10:01:00 GMT"), absl::Minutes(1));
  EXPECT_EQ(RetryAfter("Thu May 28 10:01:00 2026"), absl::Minutes(1));
}

TEST(ReadRetryAfterTest, ADateThatHasPassedIsZero) {
  EXPECT_EQ(RetryAfter("Thu, 28 May 2026 09:00:00 GMT"), absl::ZeroDuration());
}

TEST(ReadRetryAfterTest, ADateIsMeasuredByAulmsClock) {
  EXPECT_EQ(
      ReadRetryAfter(
          With({{"retry-after", "Thu, 28 May 2026 12:01:00 GMT"}, {"date", "Thu, 28 May 2026 12:00:00 GMT"}}), kNow),
      absl::Minutes(1));
}

TEST(ReadRetryAfterTest, NonsenseIsAbsent) {
  for (const char* text : {"", "soon", "-5", "1.5", "5s", "28 May 2026", "2026-05-28T10:01:00Z"}) {
    EXPECT_EQ(RetryAfter(text), std::nullopt) << text;
  }
}

TEST(ReadTimeToResetTest, IsMeasuredByAulmsClockAndNeverNegative) {
  EXPECT_EQ(ReadTimeToReset(With({{"x-ratelimit-reset", "2026-05-28T10:00:10Z"}}), kNow), absl::Seconds(10));
  EXPECT_EQ(ReadTimeToReset(
                With({{"x-ratelimit-reset", "2026-05-28T10:00:10Z"}, {"date", "Thu, 28 May 2026 10:00:04 GMT"}}), kNow),
            absl::Seconds(6));
  EXPECT_EQ(ReadTimeToReset(With({{"x-ratelimit-reset", "2026-05-28T09:00:00Z"}}), kNow), absl::ZeroDuration());
  EXPECT_EQ(ReadTimeToReset(With({}), kNow), std::nullopt);
}

TEST(ReadAulmRequestIdTest, TheHeaderComesBeforeTheBody) {
  EXPECT_EQ(ReadAulmRequestId(With({{"x-request-id", "r-1"}}), "r-2"), "r-1");
  EXPECT_EQ(ReadAulmRequestId(With({}), "r-2"), "r-2");
  EXPECT_EQ(ReadAulmRequestId(With({})), "");
}

TEST(ReadAulmRequestIdTest, WhatIsNoPlainIdIsLeftOut) {
  EXPECT_EQ(ReadAulmRequestId(With({{"x-request-id", "+966512300099 \x7f"}}), "r-2"), "r-2");
  EXPECT_EQ(ReadAulmRequestId(With({{"x-request-id", "a b"}}), "+966512300099"), "");
}

TEST(HttpResponseTest, HeaderGivesTheFirstOfTheName) {
  const HttpResponse response = With({{"a", "1"}, {"b", "2"}, {"b", "3"}});
  EXPECT_EQ(response.Header("b"), "2");
  EXPECT_EQ(response.Header("c"), "");
}

}  // namespace
}  // namespace aulm::gateway
