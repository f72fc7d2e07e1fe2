#include "service/messaging/pacer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_random.h"
#include "tests/support/fake_state_store.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";

class PacerTest : public testing::Test {
 protected:
  PacerTest() {
    pace_.jitter = 0;
    pace_.max_wait = absl::Hours(1);
  }

  // A replica over the common store.
  std::unique_ptr<Pacer> Replica() {
    Paces paces;
    paces.general = pace_;
    return std::make_unique<Pacer>(paces, recent_, store_, clock_, random_, registry_);
  }

  // A send that writes its name and time into went_ when it goes, and its error into refused_.
  Pacer::Ticket Wait(Pacer& pacer, const std::string& name, const std::string& caller = "",
                     absl::Duration limit = absl::Hours(2), const std::string& to = "+966512345678") {
    return pacer.Wait({"default", kSession, to, caller, clock_.Now() + limit},
                      [this, name](const absl::Status& status) {
                        if (status.ok()) {
                          went_.emplace_back(name, clock_.Now() - start_);
                        } else {
                          refused_.emplace_back(name, status);
                        }
                      });
  }

  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& [name, time] : went_) names.push_back(name);
    return names;
  }

  prometheus::Registry registry_;
  Pace pace_;
  FakeClock clock_;
  FakeRandom random_;
  FakeStateStore store_{clock_};
  RecentPeers recent_;
  const absl::Time start_ = clock_.Now();
  std::vector<std::pair<std::string, absl::Duration>> went_;
  std::vector<std::pair<std::string, absl::Status>> refused_;
};

TEST_F(PacerTest, BurstGoesAtOnceThenOneEveryInterval) {
  const auto pacer = Replica();
  for (const char* name : {"a", "b", "c", "d", "e"}) Wait(*pacer, name);
  EXPECT_EQ(Names(), (std::vector<std::string>{"a", "b", "c"}));

  clock_.Advance(absl::Seconds(4));

  ASSERT_EQ(went_.size(), 5u);
  EXPECT_EQ(went_[3], std::make_pair(std::string("d"), absl::Duration(absl::Seconds(2))));
  EXPECT_EQ(went_[4], std::make_pair(std::string("e"), absl::Duration(absl::Seconds(4))));
}

TEST_F(PacerTest, ShowsItsLanesThoseOnWhichSendsWaitFirst) {
  const auto pacer = Replica();
  for (const char* name : {"a", "b", "c", "d", "e"}) Wait(*pacer, name);
  recent_.Note("default", kSession, "+966512345678", clock_.Now());
  Wait(*pacer, "reply");

  const std::vector<Pacer::Lane> lanes = pacer->Lanes(10);

  ASSERT_EQ(lanes.size(), 2u);
  EXPECT_EQ(lanes[0].account, "default");
  EXPECT_EQ(lanes[0].session_id, kSession);
  EXPECT_FALSE(lanes[0].replies);
  EXPECT_EQ(lanes[0].waiting, 2u);
  EXPECT_EQ(lanes[0].next_slot - clock_.Now(), absl::Seconds(2));
  EXPECT_EQ(lanes[0].sent_today, 3);
  EXPECT_EQ(lanes[0].limit_today, 0);
  EXPECT_TRUE(lanes[1].replies);
  EXPECT_EQ(lanes[1].waiting, 0u);
  EXPECT_EQ(pacer->Lanes(1).size(), 1u);
}

TEST_F(PacerTest, JitterMovesTheNextSlotByAPartOfTheInterval) {
  pace_.jitter = 0.2;
  pace_.burst = 1;
  random_.uniform = 1.0;  // the longest
  const auto pacer = Replica();
  Wait(*pacer, "a");
  Wait(*pacer, "b");

  clock_.Advance(absl::Milliseconds(2399));
  EXPECT_EQ(went_.size(), 1u);
  clock_.Advance(absl::Milliseconds(1));

  EXPECT_EQ(went_.size(), 2u);
}

TEST_F(PacerTest, ReplicasShareOnePace) {
  pace_.burst = 1;
  const auto one = Replica();
  const auto two = Replica();
  for (int i = 0; i < 5; ++i) {
    Wait(*one, "one");
    Wait(*two, "two");
  }

  clock_.Advance(absl::Seconds(18));

  ASSERT_EQ(went_.size(), 10u);
  for (size_t i = 0; i < went_.size(); ++i) EXPECT_EQ(went_[i].second, static_cast<double>(i) * absl::Seconds(2));
}

TEST_F(PacerTest, PaceIsKeptOverARestart) {
  pace_.burst = 1;
  Wait(*Replica(), "before");

  const auto pacer = Replica();
  Wait(*pacer, "after");

  EXPECT_THAT(Names(), ElementsAre("before"));
  clock_.Advance(absl::Seconds(2));
  EXPECT_THAT(Names(), ElementsAre("before", "after"));
}

TEST_F(PacerTest, CallersTakeTurns) {
  pace_.burst = 1;
  const auto pacer = Replica();
  Wait(*pacer, "first", "bulk");
  for (int i = 0; i < 3; ++i) Wait(*pacer, "bulk", "bulk");
  Wait(*pacer, "shop", "shop");

  clock_.Advance(absl::Seconds(4));

  EXPECT_THAT(Names(), ElementsAre("first", "shop", "bulk"));
}

TEST_F(PacerTest, SlotBeyondTheDeadlineIsRefusedAtOnceWithTheDelay) {
  pace_.burst = 1;
  const auto pacer = Replica();
  Wait(*pacer, "a");
  Wait(*pacer, "b");

  Wait(*pacer, "c", "", absl::Seconds(3));

  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_TRUE(HasReason(refused_[0].second, GatewayReason::kPaced));
  EXPECT_EQ(OutcomeOf(refused_[0].second), Outcome::kNotSent);
  EXPECT_EQ(RetryDelayOf(refused_[0].second), absl::Seconds(4));
}

TEST_F(PacerTest, OfManyAtOnceWhoCannotMakeItIsToldBeforeTheFirstGoes) {
  pace_.burst = 2;
  pace_.jitter = 0.2;
  random_.uniform = 1.0;  // the longest: 2.4 s
  const auto pacer = Replica();
  Wait(*pacer, "rested");  // so that the record is known
  clock_.Advance(absl::Minutes(1));
  store_.Hold();

  Wait(*pacer, "a", "a", absl::Milliseconds(1));
  Wait(*pacer, "b", "b", absl::Milliseconds(401));   // an interval of 2.4 s, of which 2 s are the burst's
  Wait(*pacer, "c", "c", absl::Milliseconds(2799));  // two of 2.4 s
  Wait(*pacer, "d", "d", absl::Milliseconds(2801));

  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_EQ(refused_[0].first, "c");
  EXPECT_NEAR(absl::ToDoubleMilliseconds(*RetryDelayOf(refused_[0].second)), 2800, 1);
  store_.Release();
  clock_.Advance(absl::Milliseconds(2801));
  EXPECT_THAT(Names(), ElementsAre("rested", "a", "b", "d"));
}

TEST_F(PacerTest, WaitsAndRefusalsAreOnTheMetrics) {
  pace_.burst = 1;
  const auto pacer = Replica();
  Wait(*pacer, "a");
  Wait(*pacer, "b");
  Wait(*pacer, "late", "", absl::Seconds(1));
  clock_.Advance(absl::Seconds(2));

  const std::string page = prometheus::TextSerializer().Serialize(registry_.Collect());
  EXPECT_THAT(page, HasSubstr("aulm_pacing_wait_seconds_count{lane=\"cold\"} 2"));
  EXPECT_THAT(page, HasSubstr("aulm_pacing_wait_seconds_sum{lane=\"cold\"} 2"));
  EXPECT_THAT(page, HasSubstr("aulm_pacing_refused_total{reason=\"too_late\"} 1"));
  EXPECT_THAT(page, HasSubstr("aulm_pacing_refused_total{reason=\"daily_limit\"} 0"));
}

TEST_F(PacerTest, LongestWaitBoundsTheQueue) {
  pace_.burst = 1;
  pace_.max_wait = absl::Seconds(5);
  const auto pacer = Replica();

  for (int i = 0; i < 100; ++i) Wait(*pacer, "a");

  EXPECT_EQ(pacer->waiting(), 2u);
  EXPECT_EQ(refused_.size(), 97u);
}

TEST_F(PacerTest, WhoLeavesCostsNoSlot) {
  pace_.burst = 1;
  const auto pacer = Replica();
  Wait(*pacer, "a");
  const Pacer::Ticket leaving = Wait(*pacer, "b");
  Wait(*pacer, "c");

  EXPECT_TRUE(pacer->Leave(leaving));
  EXPECT_FALSE(pacer->Leave(leaving));
  clock_.Advance(absl::Seconds(2));

  EXPECT_THAT(Names(), ElementsAre("a", "c"));
}

TEST_F(PacerTest, RepliesHaveALaneOfTheirOwn) {
  pace_.burst = 1;
  recent_.Note("default", kSession, "+966500000001", clock_.Now());
  const auto pacer = Replica();
  for (int i = 0; i < 10; ++i) Wait(*pacer, "cold");

  Wait(*pacer, "reply", "", absl::Hours(2), "+966500000001");
  Wait(*pacer, "reply", "", absl::Hours(2), "+966500000001");
  clock_.Advance(absl::Milliseconds(250));

  EXPECT_THAT(Names(), ElementsAre("cold", "reply", "reply"));
}

TEST_F(PacerTest, ReplyAfterTheWindowIsAColdSend) {
  pace_.burst = 1;
  recent_.Note("default", kSession, "+966500000001", clock_.Now());
  clock_.Advance(absl::Hours(24) + absl::Seconds(1));
  const auto pacer = Replica();
  Wait(*pacer, "cold");

  Wait(*pacer, "late reply", "", absl::Hours(2), "+966500000001");

  EXPECT_THAT(Names(), ElementsAre("cold"));
}

TEST_F(PacerTest, DailyLimitEndsAtUtcMidnight) {
  pace_.burst = 100;
  pace_.daily_limit = 2;
  const auto pacer = Replica();
  for (const char* name : {"a", "b", "c"}) Wait(*pacer, name);
  EXPECT_THAT(Names(), ElementsAre("a", "b"));
  ASSERT_EQ(refused_.size(), 1u);
  const absl::Duration until_midnight = *RetryDelayOf(refused_[0].second);
  EXPECT_EQ(absl::ToUnixSeconds(clock_.Now() + until_midnight) % 86400, 0);

  clock_.Advance(until_midnight);
  Wait(*pacer, "next day");

  EXPECT_THAT(Names(), ElementsAre("a", "b", "next day"));
}

TEST_F(PacerTest, StoreFailureIsNotSent) {
  const auto pacer = Replica();
  store_.FailWith(absl::UnavailableError("gone"));

  Wait(*pacer, "a");

  ASSERT_EQ(refused_.size(), 1u);
  EXPECT_TRUE(HasReason(refused_[0].second, GatewayReason::kStoreUnavailable));
  EXPECT_EQ(OutcomeOf(refused_[0].second), Outcome::kNotSent);
}

TEST_F(PacerTest, OffLetsEverythingThrough) {
  pace_.off = true;
  const auto pacer = Replica();

  for (int i = 0; i < 100; ++i) Wait(*pacer, "a");

  EXPECT_EQ(went_.size(), 100u);
}

TEST(PaceTest, WarmUpGrowsInEqualStepsAndEnds) {
  Pace pace;
  pace.active_since = absl::CivilDay(2026, 1, 1);

  EXPECT_EQ(pace.LimitOf(absl::CivilDay(2025, 12, 31)), 20);
  EXPECT_EQ(pace.LimitOf(absl::CivilDay(2026, 1, 1)), 20);
  EXPECT_EQ(pace.LimitOf(absl::CivilDay(2026, 1, 2)), 95);
  EXPECT_EQ(pace.LimitOf(absl::CivilDay(2026, 1, 14)), 1000);
  EXPECT_EQ(pace.LimitOf(absl::CivilDay(2026, 1, 15)), 0);
}

TEST(PaceTest, DailyLimitHoldsDuringTheWarmUpToo) {
  Pace pace;
  pace.active_since = absl::CivilDay(2026, 1, 1);
  pace.daily_limit = 50;

  EXPECT_EQ(pace.LimitOf(absl::CivilDay(2026, 1, 1)), 20);
  EXPECT_EQ(pace.LimitOf(absl::CivilDay(2026, 1, 10)), 50);
}

TEST(RecentPeersTest, ForgetsTheOldestBeyondItsCapacity) {
  RecentPeers recent(2);
  const absl::Time now = absl::FromUnixSeconds(1000);
  recent.Note("a", kSession, "+1", now);
  recent.Note("a", kSession, "+2", now);
  recent.Note("a", kSession, "+1", now);
  recent.Note("a", kSession, "+3", now);

  EXPECT_TRUE(recent.WroteSince("a", kSession, "+1", now));
  EXPECT_FALSE(recent.WroteSince("a", kSession, "+2", now));
  EXPECT_TRUE(recent.WroteSince("a", kSession, "+3", now));
}

}  // namespace
}  // namespace aulm::gateway
