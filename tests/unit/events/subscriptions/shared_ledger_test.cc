#include "service/events/subscriptions/shared_ledger.h"

#include <map>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
using Action = SharedLedger::Action;

// A ledger at a time that the test sets, with consumers that take everything they may.
class SharedLedgerTest : public testing::Test {
 protected:
  explicit SharedLedgerTest(SharedLedger::Limits limits = {})
      : ledger(SharedLedger::Rules{absl::Seconds(30), 3, absl::Seconds(1)}, limits) {
    ledger.Reserve(kAllPartitions, SharedLedger::Part(0));
    ledger.Hold(kAllPartitions);
  }

  // The next sequences, one a given conversation.
  void Arrive(const std::vector<uint64_t>& conversations) {
    std::vector<FoundEvent> found;
    uint64_t sequence = ledger.scanned();
    for (const uint64_t conversation : conversations) found.push_back({++sequence, conversation});
    ledger.TakeIn(found, sequence, now);
  }

  std::vector<Handout> Take(uint64_t consumer, size_t most = 1000) {
    ledger.Tick(now);
    const SharedLedger::Room room{consumer, most};
    std::vector<Handout> handouts = ledger.Spread({&room, 1}, now);
    for (const Handout& handout : handouts) last[handout.sequence] = handout;
    return handouts;
  }
  std::vector<uint64_t> TakeSequences(uint64_t consumer, size_t most = 1000) {
    std::vector<uint64_t> sequences;
    for (const Handout& handout : Take(consumer, most)) sequences.push_back(handout.sequence);
    return sequences;
  }

  bool Settle(uint64_t sequence, Action action = Action::kAck, std::optional<absl::Duration> delay = std::nullopt) {
    return ledger.Settle(sequence, last.at(sequence).delivery, action, delay, now);
  }

  absl::Time now = absl::FromUnixSeconds(1'780'000'000);
  SharedLedger ledger;
  std::map<uint64_t, Handout> last;
};

TEST_F(SharedLedgerTest, OneEventOfAConversationIsOutstandingAtATime) {
  ledger.Join(1, 100);
  Arrive({7, 7, 8});
  EXPECT_THAT(TakeSequences(1), ElementsAre(1, 3));
  EXPECT_THAT(TakeSequences(1), IsEmpty());
  EXPECT_TRUE(Settle(1));
  EXPECT_THAT(TakeSequences(1), ElementsAre(2));
}

TEST_F(SharedLedgerTest, MaxOutstandingIsExact) {
  ledger.Join(1, 1);
  Arrive({1, 2, 3});
  EXPECT_THAT(TakeSequences(1), ElementsAre(1));
  EXPECT_THAT(TakeSequences(1), IsEmpty());
  EXPECT_TRUE(Settle(1));
  EXPECT_THAT(TakeSequences(1), ElementsAre(2));
}

TEST_F(SharedLedgerTest, EventsSpreadEvenlyOverWaitingConsumers) {
  for (uint64_t consumer = 1; consumer <= 4; ++consumer) ledger.Join(consumer, 100);
  Arrive({1, 2, 3, 4, 5, 6, 7, 8});
  std::vector<SharedLedger::Room> rooms;
  for (uint64_t consumer = 1; consumer <= 4; ++consumer) rooms.push_back({consumer, 100});
  EXPECT_EQ(ledger.Spread(rooms, now).size(), 8u);
  for (uint64_t consumer = 1; consumer <= 4; ++consumer) EXPECT_EQ(ledger.outstanding_of(consumer), 2u);
}

TEST_F(SharedLedgerTest, TheFloorFollowsTheOldestUnsettledEvent) {
  ledger.Join(1, 100);
  Arrive({1, 2, 3});
  Take(1);
  Settle(2);
  EXPECT_EQ(ledger.blocks().floor(), 0u);
  EXPECT_EQ(ledger.blocks().settled_above(), 1u);
  Settle(1);
  EXPECT_EQ(ledger.blocks().floor(), 2u);
  Settle(3);
  EXPECT_EQ(ledger.blocks().floor(), 3u);
}

TEST_F(SharedLedgerTest, TheFloorPassesWhatTheFilterLeftOut) {
  ledger.TakeIn({}, 500, now);
  EXPECT_EQ(ledger.blocks().floor(), 500u);
}

TEST_F(SharedLedgerTest, ASettlementCountsOnce) {
  ledger.Join(1, 100);
  Arrive({1});
  Take(1);
  EXPECT_TRUE(Settle(1));
  EXPECT_FALSE(Settle(1));
}

TEST_F(SharedLedgerTest, RetryWaitsForItsDelayAndHoldsItsConversation) {
  ledger.Join(1, 100);
  Arrive({1, 1});
  Take(1);
  EXPECT_TRUE(Settle(1, Action::kRetry, absl::Seconds(5)));
  now += absl::Seconds(4);
  EXPECT_THAT(TakeSequences(1), IsEmpty());
  now += absl::Seconds(1);
  const std::vector<Handout> handouts = Take(1);
  ASSERT_EQ(handouts.size(), 1u);
  EXPECT_EQ(handouts[0].sequence, 1u);
  EXPECT_EQ(handouts[0].attempt, 2u);
}

TEST_F(SharedLedgerTest, AMissedDeadlineMakesItsTokenStaleAndRedelivers) {
  ledger.Join(1, 100);
  Arrive({1});
  Take(1);
  const Handout first = last.at(1);
  now += absl::Seconds(30);
  EXPECT_EQ(ledger.NextDue(), now);
  EXPECT_THAT(TakeSequences(1), IsEmpty()) << "the retry delay comes first";
  now += absl::Seconds(1);
  EXPECT_THAT(TakeSequences(1), ElementsAre(1));
  EXPECT_FALSE(ledger.Settle(1, first.delivery, Action::kAck, std::nullopt, now));
  EXPECT_TRUE(Settle(1));
  EXPECT_EQ(ledger.counts().missed_deadlines, 1u);
  EXPECT_EQ(ledger.counts().redeliveries, 1u);
}

TEST_F(SharedLedgerTest, ExtendMovesTheDeadline) {
  ledger.Join(1, 100);
  Arrive({1});
  Take(1);
  now += absl::Seconds(29);
  EXPECT_TRUE(Settle(1, Action::kExtend));
  now += absl::Seconds(29);
  ledger.Tick(now);
  EXPECT_TRUE(Settle(1));
}

TEST_F(SharedLedgerTest, AfterItsLastAttemptAnEventIsParkedAndItsConversationGoesOn) {
  ledger.Join(1, 100);
  Arrive({1, 1});
  for (int attempt = 1; attempt <= 3; ++attempt) {
    ASSERT_THAT(TakeSequences(1), ElementsAre(1));
    ASSERT_TRUE(Settle(1, Action::kRetry, absl::ZeroDuration()));
  }
  EXPECT_THAT(TakeSequences(1), ElementsAre(2));
  const std::vector<SharedLedger::ParkOrder> parks = ledger.TakeParks();
  ASSERT_EQ(parks.size(), 1u);
  EXPECT_EQ(parks[0].sequence, 1u);
  EXPECT_EQ(parks[0].attempts, 3u);
  EXPECT_EQ(parks[0].reason, v1::PARK_REASON_ATTEMPTS);
  EXPECT_EQ(ledger.blocks().floor(), 0u) << "not before the parked record is durable";
  ledger.Parked(1);
  EXPECT_EQ(ledger.blocks().floor(), 1u);
}

TEST_F(SharedLedgerTest, ALeavingConsumerHandsBackAtOnceAndItCountsAsAnAttempt) {
  ledger.Join(1, 100);
  ledger.Join(2, 100);
  Arrive({1, 2});
  Take(1);
  ledger.Leave(1, now, /*counted=*/true);
  const std::vector<Handout> handouts = Take(2);
  ASSERT_EQ(handouts.size(), 2u);
  EXPECT_EQ(handouts[0].attempt, 2u);
  EXPECT_EQ(handouts[0].consumer, 2u);
}

TEST_F(SharedLedgerTest, ADrainedConsumerHandsBackWithoutCounting) {
  ledger.Join(1, 100);
  ledger.Join(2, 100);
  Arrive({1});
  Take(1);
  const Handout first = last.at(1);
  ledger.Leave(1, now, /*counted=*/false);
  const std::vector<Handout> handouts = Take(2);
  ASSERT_EQ(handouts.size(), 1u);
  EXPECT_EQ(handouts[0].attempt, 1u);
  EXPECT_FALSE(ledger.Settle(1, first.delivery, Action::kAck, std::nullopt, now)) << "the drained one's token is stale";
}

TEST_F(SharedLedgerTest, AReplayIsDeliveredBelowTheFloorWithAttemptsAnew) {
  ledger.Join(1, 100);
  Arrive({1, 1});
  Take(1);
  Settle(1, Action::kPark);
  ledger.TakeParks();
  ledger.Parked(1);
  Take(1);
  Settle(2);
  ASSERT_EQ(ledger.blocks().floor(), 2u);
  EXPECT_TRUE(ledger.Replay({1, 1}));
  EXPECT_FALSE(ledger.Replay({1, 1}));
  const std::vector<Handout> handouts = Take(1);
  ASSERT_EQ(handouts.size(), 1u);
  EXPECT_EQ(handouts[0].attempt, 1u);
  Settle(1);
  EXPECT_THAT(ledger.TakeFinishedReplays(), ElementsAre(1));
}

TEST_F(SharedLedgerTest, APoisonousConversationWithoutRetryDelayDoesNotStarveOthers) {
  ledger.Join(1, 1);
  Arrive({1, 2});
  ASSERT_THAT(TakeSequences(1), ElementsAre(1));
  Settle(1, Action::kRetry, absl::ZeroDuration());
  EXPECT_THAT(TakeSequences(1), ElementsAre(2));
}

TEST_F(SharedLedgerTest, RetentionTakesWhatIsNotOutstanding) {
  ledger.Join(1, 1);
  Arrive({1, 2, 3, 4});
  Take(1);
  ledger.ForgetThrough(3);
  Settle(1);
  EXPECT_EQ(ledger.blocks().floor(), 3u);
  EXPECT_THAT(TakeSequences(1), ElementsAre(4));
}

class SmallWindowTest : public SharedLedgerTest {
 protected:
  SmallWindowTest() : SharedLedgerTest(SharedLedger::Limits{.window = 8, .conversation_window = 2, .ready = 100}) {}
};

TEST_F(SmallWindowTest, AStuckConversationMakesRoomForOthersAndComesBackInOrder) {
  ledger.Join(1, 100);
  Arrive({1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_THAT(TakeSequences(1), ElementsAre(1));
  EXPECT_FALSE(ledger.WantsMore(/*demand=*/false));
  EXPECT_TRUE(ledger.WantsMore(/*demand=*/true));
  EXPECT_EQ(ledger.positions(), 2u);
  Arrive({1, 2});
  EXPECT_THAT(TakeSequences(1), ElementsAre(10));
  Settle(10);
  EXPECT_EQ(ledger.blocks().floor(), 0u);

  std::vector<uint64_t> order;
  for (int guard = 0; guard < 50; ++guard) {
    if (const auto after = ledger.RefillAfter(); after.has_value()) {
      std::vector<FoundEvent> found;
      const uint64_t through = std::min<uint64_t>(*after + 4, 10);
      for (uint64_t sequence = *after + 1; sequence <= through; ++sequence) {
        found.push_back({sequence, sequence == 10 ? uint64_t{2} : uint64_t{1}});
      }
      ledger.Refill(found, *after, through);
    }
    if (!last.contains(1) || ledger.outstanding() > 0) {
      for (auto& [sequence, handout] : last) {
        if (Settle(sequence)) order.push_back(sequence);
      }
    }
    Take(1);
  }
  EXPECT_THAT(order, ElementsAre(1, 2, 3, 4, 5, 6, 7, 8, 9));
  EXPECT_EQ(ledger.blocks().floor(), 10u);
  EXPECT_EQ(ledger.positions(), 0u);
}

TEST_F(SharedLedgerTest, AWithheldPartitionIsHandedOutNoMoreAndGoesOnceNothingOfItIsOutstanding) {
  ledger.Join(1, 100);
  Arrive({7, 7, 8});
  EXPECT_THAT(TakeSequences(1, 1), ElementsAre(1));
  const PartitionSet going = PartitionBit(7) | PartitionBit(8);
  ledger.Withhold(going);
  EXPECT_EQ(ledger.Quiet(), PartitionBit(8));
  EXPECT_THAT(TakeSequences(1), IsEmpty());
  EXPECT_TRUE(Settle(1));
  EXPECT_EQ(ledger.Quiet(), going);
  EXPECT_THAT(TakeSequences(1), IsEmpty()) << "its next event is another replica's";
}

TEST_F(SharedLedgerTest, AWithheldPartitionThatStaysGoesOn) {
  ledger.Join(1, 100);
  Arrive({7, 8});
  ledger.Withhold(PartitionBit(7));
  EXPECT_THAT(TakeSequences(1), ElementsAre(2));
  ledger.Resume(PartitionBit(7));
  EXPECT_THAT(TakeSequences(1), ElementsAre(1));
}

TEST_F(SharedLedgerTest, APartitionGoesOnElsewhereWithWhatWasSettledAndHowOftenItWasTried) {
  ledger.Join(1, 100);
  Arrive({7, 71, 7, 71, 7});  // 7 and 71 are of one partition
  Take(1);
  EXPECT_TRUE(Settle(2));
  EXPECT_TRUE(Settle(1, Action::kRetry, absl::Seconds(5)));
  ledger.Withhold(PartitionBit(7));
  const SharedLedger::Part part = ledger.PartOf(PartitionBit(7));
  ledger.Forget(PartitionBit(7));
  EXPECT_EQ(ledger.positions(), 0u);
  EXPECT_EQ(ledger.blocks().floor(), 5u) << "what is left has seen everything";

  SharedLedger other(SharedLedger::Rules{absl::Seconds(30), 3, absl::Seconds(1)}, {});
  other.Reserve(PartitionBit(7), part);
  EXPECT_FALSE(other.WantsMore(true)) << "not its own yet";
  other.Hold(PartitionBit(7));
  EXPECT_EQ(other.scanned(), 0u);
  const std::vector<FoundEvent> log = {{1, 7}, {2, 71}, {3, 7}, {4, 71}, {5, 7}};
  other.TakeIn(log, 5, now);
  other.Join(9, 100);
  const SharedLedger::Room room{9, 100};
  EXPECT_EQ(other.Spread({&room, 1}, now).front().sequence, 4u) << "the retry waits for its time";
  now += absl::Seconds(5);
  other.Tick(now);
  const std::vector<Handout> again = other.Spread({&room, 1}, now);
  ASSERT_EQ(again.size(), 1u);
  EXPECT_EQ(again[0].sequence, 1u);
  EXPECT_EQ(again[0].attempt, 2u);
}

TEST_F(SharedLedgerTest, APartitionThatComesIsReadAgainFromItsFloorAndNothingElseIs) {
  ledger.Join(1, 100);
  ledger.Withhold(PartitionBit(8));
  ledger.Forget(PartitionBit(8));
  Arrive({7, 8, 7});
  EXPECT_THAT(TakeSequences(1), ElementsAre(1));
  EXPECT_TRUE(Settle(1));
  ledger.Reserve(PartitionBit(8), SharedLedger::Part(0));
  EXPECT_EQ(ledger.blocks().floor(), 0u) << "the newcomer is not further";
  ledger.Hold(PartitionBit(8));
  EXPECT_EQ(ledger.scanned(), 0u);
  const std::vector<FoundEvent> log = {{1, 7}, {2, 8}, {3, 7}};
  ledger.TakeIn(log, 3, now);
  EXPECT_THAT(TakeSequences(1), UnorderedElementsAre(2, 3));
  EXPECT_TRUE(Settle(2));
  EXPECT_TRUE(Settle(3));
  EXPECT_EQ(ledger.blocks().floor(), 3u);
}

TEST_F(SharedLedgerTest, WhatIsKeptStillSaysHowFarAPartitionIsWhenOneComesThatIsNotSoFar) {
  ledger.Join(1, 100);
  ledger.Withhold(PartitionBit(8));
  ledger.Forget(PartitionBit(8));
  const std::vector<FoundEvent> found = {{1, 7}, {2, 7}};
  const uint64_t through = 2 * AckBlocks::kSequences;  // so far that no block says any more that they are settled
  ledger.TakeIn(found, through, now);
  for (const uint64_t sequence : {1, 2}) {
    Take(1);
    EXPECT_TRUE(Settle(sequence));
  }
  ASSERT_EQ(ledger.blocks().floor(), through);
  ledger.Reserve(PartitionBit(8), SharedLedger::Part(0));
  ledger.Hold(PartitionBit(8));
  ASSERT_EQ(ledger.blocks().floor(), 0u);

  // As a start, or another replica, would find it now.
  SharedLedger::Part kept(0);
  kept.floors = ledger.floors();
  kept.blocks = ledger.blocks();
  SharedLedger heir(SharedLedger::Rules{absl::Seconds(30), 3, absl::Seconds(1)}, {});
  heir.Reserve(ledger.kept(), kept);
  heir.Hold(ledger.kept());
  heir.TakeIn(found, through, now);
  EXPECT_EQ(heir.positions(), 0u) << "both were settled";
}

TEST_F(SharedLedgerTest, WhatWasReservedInVainHoldsNothingUp) {
  ledger.Withhold(PartitionBit(8));
  ledger.Forget(PartitionBit(8));
  Arrive({7});
  ledger.Reserve(PartitionBit(8), SharedLedger::Part(0));
  ledger.Abandon(PartitionBit(8));
  ledger.Join(1, 100);
  Take(1);
  EXPECT_TRUE(Settle(1));
  EXPECT_EQ(ledger.blocks().floor(), 1u);
}

}  // namespace
}  // namespace aulm::gateway
