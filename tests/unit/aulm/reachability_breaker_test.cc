// When calls are stopped because aulm cannot be reached, and what finds out that it can be again.
#include "service/aulm/reachability_breaker.h"

#include <gtest/gtest.h>

namespace aulm::gateway {
namespace {

class ReachabilityBreakerTest : public testing::Test {
 protected:
  static constexpr bool kSend = false;
  static constexpr bool kRead = true;

  void Open() {
    for (int i = 0; i < 5; ++i) breaker_.NoteUnreachable(now_);
  }

  ReachabilityBreaker breaker_;
  absl::Time now_ = absl::FromUnixSeconds(1'780'000'000);
};

TEST_F(ReachabilityBreakerTest, FourFailuresInARowStopNothing) {
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(breaker_.NoteUnreachable(now_));
  EXPECT_TRUE(breaker_.Ask(kSend, now_).call);
}

TEST_F(ReachabilityBreakerTest, TheFifthFailureInARowOpensIt) {
  for (int i = 0; i < 4; ++i) breaker_.NoteUnreachable(now_);
  EXPECT_TRUE(breaker_.NoteUnreachable(now_));
  EXPECT_FALSE(breaker_.Ask(kSend, now_).call);
}

TEST_F(ReachabilityBreakerTest, AnAnswerBetweenFailuresCountsThemAnew) {
  for (int i = 0; i < 4; ++i) breaker_.NoteUnreachable(now_);
  EXPECT_FALSE(breaker_.NoteAnswered());
  EXPECT_FALSE(breaker_.NoteUnreachable(now_));
  EXPECT_TRUE(breaker_.Ask(kSend, now_).call);
}

TEST_F(ReachabilityBreakerTest, ARefusedCallIsToldWhenToAskAgain) {
  Open();
  const auto verdict = breaker_.Ask(kSend, now_ + absl::Milliseconds(400));
  EXPECT_FALSE(verdict.call);
  EXPECT_FALSE(verdict.probe);
  EXPECT_EQ(verdict.retry_after, absl::Milliseconds(600));
}

TEST_F(ReachabilityBreakerTest, ASendIsNeverTheProbe) {
  Open();
  const auto verdict = breaker_.Ask(kSend, now_ + absl::Seconds(1));
  EXPECT_FALSE(verdict.call);
  EXPECT_TRUE(verdict.probe);
}

TEST_F(ReachabilityBreakerTest, OneReadIsLetThroughWhenItIsTime) {
  Open();
  EXPECT_FALSE(breaker_.Ask(kRead, now_ + absl::Milliseconds(999)).call);
  EXPECT_TRUE(breaker_.Ask(kRead, now_ + absl::Seconds(1)).call);
  EXPECT_FALSE(breaker_.Ask(kRead, now_ + absl::Seconds(1)).call);
}

TEST_F(ReachabilityBreakerTest, ProbesGrowRarerUpToFifteenSeconds) {
  Open();
  now_ += absl::Seconds(1);
  for (const int64_t wait : {2, 4, 8, 15, 15}) {
    EXPECT_TRUE(breaker_.Ask(kRead, now_).call);
    breaker_.NoteUnreachable(now_);
    EXPECT_FALSE(breaker_.Ask(kRead, now_ + absl::Seconds(wait) - absl::Milliseconds(1)).call);
    now_ += absl::Seconds(wait);
  }
}

TEST_F(ReachabilityBreakerTest, AnAnswerClosesIt) {
  Open();
  EXPECT_TRUE(breaker_.NoteAnswered());
  EXPECT_FALSE(breaker_.open());
  EXPECT_TRUE(breaker_.Ask(kSend, now_).call);
}

TEST_F(ReachabilityBreakerTest, AfterAnAnswerItTakesFiveFailuresAgain) {
  Open();
  breaker_.NoteAnswered();
  for (int i = 0; i < 4; ++i) EXPECT_FALSE(breaker_.NoteUnreachable(now_));
  EXPECT_TRUE(breaker_.NoteUnreachable(now_));
}

}  // namespace
}  // namespace aulm::gateway
