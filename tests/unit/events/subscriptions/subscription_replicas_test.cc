// Durable subscriptions on several replicas over one log and one store: who has what, what moves, and that any replica
// answers for all. Time moves only when a test says so.
#include <deque>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "service/events/subscriptions/blocking_state.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/share_records.h"
#include "tests/support/failing_bucket.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_random.h"
#include "tests/support/fake_state_store.h"
#include "tests/support/replica.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

// Nothing waits for this but a test that would never end.
constexpr absl::Duration kPatience = absl::Seconds(60);

// A consumer that takes everything and shows it.
class Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  explicit Watcher(std::shared_ptr<FrameSource> source) : source_(std::move(source)) {}

  void Begin() {
    source_->Start([self = shared_from_this()](const absl::Status& status) {
      if (status.ok()) {
        self->Next();
      } else {
        self->End(status);
      }
    });
  }
  void Leave() { source_->Close(); }

  // Takes no further frame until this is false: as a client that is busy.
  void Hold(bool hold) ABSL_LOCKS_EXCLUDED(mutex_) {
    bool held_back;
    {
      absl::MutexLock lock(&mutex_);
      hold_ = hold;
      held_back = !hold && std::exchange(held_back_, false);
    }
    if (held_back) Next();
  }
  // The Gap frames, as many as asked for.
  std::vector<v1::Gap> AwaitGaps(size_t count) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return gaps_.size() >= count; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience)) << "only " << gaps_.size();
    return gaps_;
  }

  // The next deliveries, as many as asked for.
  std::vector<v1::Delivery> Take(size_t count) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto enough = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return deliveries_.size() >= count; };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&enough), kPatience)) << "only " << deliveries_.size();
    std::vector<v1::Delivery> taken;
    while (!deliveries_.empty() && taken.size() < count) {
      taken.push_back(std::move(deliveries_.front()));
      deliveries_.pop_front();
    }
    return taken;
  }
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return deliveries_.size();
  }
  // The end of the stream, and the reason of the Drain frame before it.
  std::string AwaitDrain() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const auto ended = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return end_.has_value(); };
    EXPECT_TRUE(mutex_.AwaitWithTimeout(absl::Condition(&ended), kPatience));
    return drain_;
  }
  std::vector<v1::Gap> gaps() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return gaps_;
  }

 private:
  void Next() {
    {
      absl::MutexLock lock(&mutex_);
      held_back_ = hold_;
      if (hold_) return;
    }
    source_->Next([self = shared_from_this()](absl::StatusOr<Frame> frame) {
      if (!frame.ok()) return self->End(frame.status());
      const v1::SubscribeEventsResponse response = DecodeFrame(*frame);
      {
        absl::MutexLock lock(&self->mutex_);
        if (response.has_drain()) self->drain_ = response.drain().reason();
        if (response.has_gap()) self->gaps_.push_back(response.gap());
        for (const v1::Delivery& delivery : response.event_batch().deliveries()) {
          self->deliveries_.push_back(delivery);
        }
      }
      self->Next();
    });
  }
  void End(const absl::Status& status) {
    {
      absl::MutexLock lock(&mutex_);
      end_ = status;
    }
    source_->Close();
  }

  const std::shared_ptr<FrameSource> source_;
  mutable absl::Mutex mutex_;
  std::deque<v1::Delivery> deliveries_ ABSL_GUARDED_BY(mutex_);
  std::vector<v1::Gap> gaps_ ABSL_GUARDED_BY(mutex_);
  std::string drain_ ABSL_GUARDED_BY(mutex_);
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  bool held_back_ ABSL_GUARDED_BY(mutex_) = false;  // a frame is to be asked for
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

class SubscriptionReplicasTest : public testing::Test {
 protected:
  SubscriptionReplicasTest() : log(&clock), state(clock), network(std::make_shared<FakePeerNetwork>()) {
    one = Start("one");
    two = Start("two");
    Settled();
  }
  ~SubscriptionReplicasTest() override {
    for (const auto& watcher : watchers) watcher->Leave();
    watchers.clear();
  }

  std::unique_ptr<Replica> Start(const std::string& name) {
    return std::make_unique<Replica>(name, log, state, network, clock, random);
  }

  // Replica one anew, on whose way to the store writes to one bucket can fail.
  FailingBucket& StartFailing(const std::string& bucket) {
    failing_bucket = std::make_unique<FailingBucket>(state, bucket);
    one = std::make_unique<Replica>("three", log, *failing_bucket, network, clock, random);
    return *failing_bucket;
  }

  void Create(const std::string& name, v1::SubscriptionMode mode) {
    NewSubscription subscription;
    subscription.specification.set_name(name);
    subscription.specification.set_mode(mode);
    if (mode == v1::SUBSCRIPTION_MODE_SHARED) {
      subscription.specification.mutable_ack_deadline()->set_seconds(3600);
      subscription.specification.mutable_retry_delay()->set_seconds(1);
      subscription.specification.set_max_attempts(10);
      subscription.specification.mutable_parked_retention()->set_seconds(1'000'000);
    }
    subscription.start = Earliest{};
    absl::Notification created;
    (*one)->Create(subscription, [&](const absl::StatusOr<v1::Subscription>& made) {
      EXPECT_TRUE(made.ok()) << made.status();
      created.Notify();
    });
    created.WaitForNotification();
  }

  std::shared_ptr<Watcher> Consume(Replica& replica, const std::string& name, bool take_over = false,
                                   std::optional<size_t> most = std::nullopt, bool hold = false) {
    ConsumerSpec spec;
    spec.subscription = name;
    spec.take_over = take_over;
    spec.max_outstanding_events = most;
    auto source = replica->Open(spec);
    EXPECT_TRUE(source.ok());
    watchers.push_back(std::make_shared<Watcher>(*source));
    watchers.back()->Hold(hold);
    watchers.back()->Begin();
    Settled();
    return watchers.back();
  }

  // Lets the replicas do what is due: each tells the others what it changed, so a few rounds are enough.
  void Settled() {
    for (int round = 0; round < 4; ++round) {
      for (Replica* const replica : {one.get(), two.get()}) {
        if (replica == nullptr) continue;
        absl::Notification through;
        (*replica)->List({}, [&](const absl::StatusOr<v1::ListSubscriptionsResponse>&) { through.Notify(); });
        through.WaitForNotification();
      }
    }
  }
  // Step by step, so that renewals are heard of.
  void Advance(absl::Duration step) {
    for (absl::Duration done; done < step; done += absl::Milliseconds(500)) {
      clock.Advance(absl::Milliseconds(500));
      Settled();
    }
  }

  absl::StatusOr<v1::AcknowledgeEventsResponse> Acknowledge(Replica& replica, v1::AcknowledgeEventsRequest request) {
    absl::StatusOr<v1::AcknowledgeEventsResponse> answer = absl::UnknownError("");
    absl::Notification answered;
    replica->Acknowledge(std::move(request), [&](absl::StatusOr<v1::AcknowledgeEventsResponse> response) {
      answer = std::move(response);
      answered.Notify();
    });
    answered.WaitForNotification();
    return answer;
  }
  v1::SettlementEffect Settle(Replica& replica, const v1::Delivery& delivery,
                              v1::SettlementAction action = v1::SETTLEMENT_ACTION_ACK) {
    v1::AcknowledgeEventsRequest request;
    request.set_subscription("bot");
    request.add_settlements()->set_ack_token(delivery.ack_token());
    request.mutable_settlements(0)->set_action(action);
    const auto answer = Acknowledge(replica, std::move(request));
    EXPECT_TRUE(answer.ok()) << answer.status();
    return answer.ok() ? answer->results(0).result() : v1::SETTLEMENT_EFFECT_UNSPECIFIED;
  }

  static std::set<std::string> IdsOf(const std::vector<v1::Delivery>& deliveries) {
    std::set<std::string> ids;
    for (const v1::Delivery& delivery : deliveries) ids.insert(delivery.event().delivery_id());
    return ids;
  }

  FakeClock clock;
  FakeRandom random;
  FakeEventLog log;
  FakeStateStore state;
  std::shared_ptr<FakePeerNetwork> network;
  std::unique_ptr<FailingBucket> failing_bucket;
  std::unique_ptr<Replica> one;
  std::unique_ptr<Replica> two;
  std::vector<std::shared_ptr<Watcher>> watchers;
};

TEST_F(SubscriptionReplicasTest, ConversationsAreSpreadOverTheReplicasAndEachComesOnce) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot", false, 1000);
  const auto there = Consume(*two, "bot", false, 1000);
  AppendInbound(log, 1, 90);  // of 90 conversations
  Settled();
  std::vector<v1::Delivery> all;
  while (all.size() < 90) {
    for (const auto& watcher : {here, there}) {
      for (v1::Delivery& delivery : watcher->Take(watcher->waiting())) all.push_back(std::move(delivery));
    }
  }
  EXPECT_EQ(IdsOf(all).size(), 90u);
  const auto stats = two->Get("bot");
  ASSERT_TRUE(stats.ok());
  EXPECT_EQ(stats->stats().outstanding_events(), 90u);
  EXPECT_EQ(stats->stats().consumers(), 2u);
}

TEST_F(SubscriptionReplicasTest, APartitionThatMovesTakesNothingFromWhoHandlesIt) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot", false, 1000);
  AppendInbound(log, 1, 90);
  const std::vector<v1::Delivery> held = here->Take(90);
  const auto there = Consume(*two, "bot", false, 1000);
  EXPECT_EQ(there->waiting(), 0u) << "all of it is being handled";
  for (const v1::Delivery& delivery : held) EXPECT_EQ(Settle(*one, delivery), v1::SETTLEMENT_EFFECT_OK);
  Settled();
  for (int number = 101; number <= 190; ++number) AppendNow(log, InboundEvent(number));
  EXPECT_FALSE(there->Take(1).empty()) << "its part has moved now";
}

TEST_F(SubscriptionReplicasTest, ATokenSettlesOnAnyReplicaAndOnce) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot");
  AppendInbound(log, 1, 1);
  const v1::Delivery delivery = here->Take(1)[0];
  EXPECT_EQ(Settle(*two, delivery), v1::SETTLEMENT_EFFECT_OK);
  EXPECT_EQ(Settle(*two, delivery), v1::SETTLEMENT_EFFECT_STALE);
  EXPECT_EQ(Settle(*one, delivery), v1::SETTLEMENT_EFFECT_STALE);
  EXPECT_EQ(two->Get("bot")->stats().lag_events(), 0u);
}

TEST_F(SubscriptionReplicasTest, ADeadReplicasDeliveriesComeAgainOnceItsLeaseIsOver) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto dying = Consume(*one, "bot");
  AppendInbound(log, 1, 1);
  const v1::Delivery delivery = dying->Take(1)[0];
  one->Kill();
  const auto heir = Consume(*two, "bot");
  Advance(absl::Seconds(3));
  EXPECT_EQ(heir->waiting(), 0u) << "it may be alive";
  Advance(absl::Seconds(7));
  const v1::Delivery again = heir->Take(1)[0];
  EXPECT_EQ(again.event().delivery_id(), "d1");
  EXPECT_EQ(Settle(*two, delivery), v1::SETTLEMENT_EFFECT_STALE);
  EXPECT_EQ(Settle(*two, again), v1::SETTLEMENT_EFFECT_OK);
}

TEST_F(SubscriptionReplicasTest, AReplicaThatIsCutOffHandsNothingOutAndLetsItsConsumersGoAfterwards) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto cut_off = Consume(*one, "bot");
  one->Sever(true);
  const auto heir = Consume(*two, "bot");
  Advance(absl::Seconds(10));
  AppendInbound(log, 1, 3);
  EXPECT_EQ(IdsOf(heir->Take(3)).size(), 3u);
  EXPECT_EQ(cut_off->waiting(), 0u);
  one->Sever(false);
  Advance(absl::Seconds(6));
  EXPECT_EQ(cut_off->AwaitDrain(), "moved");
}

// As after a write whose answer was lost, or a replica that died while it took the share over.
TEST_F(SubscriptionReplicasTest, AReplicaThatLostItsShareToNobodyLeavesItToOthersWhileItLives) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot");
  AppendInbound(log, 1, 1);
  const v1::Delivery delivery = here->Take(1)[0];
  const auto shares = ListNow(state, kShares, "", "", 10);
  ASSERT_TRUE(shares.ok());
  for (const StateEntry& share : *shares) {
    ASSERT_TRUE(WriteNow(state, {{kShares, share.key, share.value, std::nullopt}})[0].ok());
  }
  v1::AcknowledgeEventsRequest request;
  request.set_subscription("bot");
  request.add_settlements()->set_ack_token(delivery.ack_token());
  request.mutable_settlements(0)->set_action(v1::SETTLEMENT_ACTION_ACK);
  EXPECT_FALSE(Acknowledge(*one, request).ok());
  EXPECT_EQ(here->AwaitDrain(), "moved");
  std::unique_ptr<Replica> living = std::move(one);  // nobody asks it for anything any more

  const auto there = Consume(*two, "bot");
  Advance(absl::Seconds(10));

  EXPECT_EQ(IdsOf(there->Take(1)), std::set<std::string>{"d1"});
  one = std::move(living);  // it outlives its consumer
}

TEST_F(SubscriptionReplicasTest, AReplicaThatWasCutOffThinksNobodyDead) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot");
  AppendInbound(log, 1, 1);
  const v1::Delivery delivery = here->Take(1)[0];
  two->Sever(true);
  Advance(absl::Seconds(10));
  two->Sever(false);
  const auto there = Consume(*two, "bot");
  Advance(absl::Seconds(2));
  EXPECT_EQ(there->waiting(), 0u) << "it is being handled";
  EXPECT_EQ(Settle(*two, delivery), v1::SETTLEMENT_EFFECT_OK);
}

TEST_F(SubscriptionReplicasTest, AReplicaThatIsBackIsNotTakenOverByOneThatHasNotHeardOfItYet) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  one.reset();
  clock.Advance(absl::Milliseconds(700));
  one = Start("three");  // renews its lease 700 ms after the other one looked
  Settled();
  const auto here = Consume(*one, "bot");
  AppendInbound(log, 1, 1);
  const v1::Delivery first = here->Take(1)[0];
  one->Sever(true);
  Advance(absl::Milliseconds(9800));  // so long that it counts as dead, and just now at a look
  one->Sever(false);
  Advance(absl::Seconds(1));
  AppendNow(log, InboundEvent(2));
  const v1::Delivery second = here->Take(1)[0];  // it hands out again

  const auto there = Consume(*two, "bot");

  EXPECT_EQ(there->waiting(), 0u) << "both events are being handled";
  EXPECT_EQ(Settle(*two, first), v1::SETTLEMENT_EFFECT_OK);
  EXPECT_EQ(Settle(*two, second), v1::SETTLEMENT_EFFECT_OK);
}

// A floor that leaves blocks of acknowledgements behind is written beside them, and each write can fail alone.
TEST_F(SubscriptionReplicasTest, WhatWasAcknowledgedStaysSoThoughAFloorThatPassedItCannotBeWritten) {
  FailingBucket& failing = StartFailing(kShares);
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot", false, 10'000);
  AppendInbound(log, 1, 2);
  const std::vector<v1::Delivery> first = here->Take(2);
  ASSERT_EQ(first[1].event().delivery_id(), "d2");
  ASSERT_EQ(Settle(*one, first[1]), v1::SETTLEMENT_EFFECT_OK);
  for (int number = 3; number <= 4200; ++number) AppendNow(log, InboundEvent(number, /*session=*/number));
  v1::AcknowledgeEventsRequest request;
  request.set_subscription("bot");
  for (const v1::Delivery& delivery : here->Take(4198)) {
    request.add_settlements()->set_ack_token(delivery.ack_token());
    request.mutable_settlements()->rbegin()->set_action(v1::SETTLEMENT_ACTION_ACK);
  }
  ASSERT_TRUE(Acknowledge(*one, request).ok());
  request.mutable_settlements()->DeleteSubrange(1, request.settlements_size() - 1);
  failing.Fail(FailingBucket::Failure::kNotMade);
  request.mutable_settlements(0)->set_ack_token(first[0].ack_token());
  EXPECT_FALSE(Acknowledge(*one, request).ok());
  one->Kill();

  const auto heir = Consume(*two, "bot", false, 10'000);
  Advance(absl::Seconds(10));

  EXPECT_EQ(IdsOf(heir->Take(1)), std::set<std::string>{"d1"});
  AppendNow(log, InboundEvent(4201, /*session=*/4201));
  EXPECT_EQ(IdsOf(heir->Take(1)), std::set<std::string>{"d4201"}) << "the others were acknowledged";
}

TEST_F(SubscriptionReplicasTest, ACreationThatWasMadeThoughItsAnswerWasLostCanBeRepeated) {
  FailingBucket& failing = StartFailing("subscriptions");
  failing.Fail(FailingBucket::Failure::kNotHeardOf);
  NewSubscription subscription;
  subscription.specification.set_name("ledger");
  subscription.specification.set_mode(v1::SUBSCRIPTION_MODE_CURSOR);
  subscription.start = Earliest{};
  const auto create = [&] {
    absl::StatusOr<v1::Subscription> result = absl::UnknownError("");
    absl::Notification created;
    (*one)->Create(subscription, [&](absl::StatusOr<v1::Subscription> made) {
      result = std::move(made);
      created.Notify();
    });
    created.WaitForNotification();
    return result.status();
  };
  EXPECT_FALSE(create().ok());
  failing.Fail(FailingBucket::Failure::kNone);
  EXPECT_EQ(create(), absl::OkStatus());
}

TEST_F(SubscriptionReplicasTest, AReplicaThatStopsHandsOverAtOnceWithoutCounting) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto drained = Consume(*one, "bot");
  const auto heir = Consume(*two, "bot");
  AppendInbound(log, 1, 20);
  Settled();
  (*one)->Drain();
  EXPECT_EQ(drained->AwaitDrain(), "shutdown");
  std::set<uint32_t> attempts;
  for (const v1::Delivery& delivery : heir->Take(20)) attempts.insert(delivery.attempt());
  EXPECT_THAT(attempts, ElementsAre(1));
}

TEST_F(SubscriptionReplicasTest, WhatIsParkedIsListedAndReplayedFromAnyReplica) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot");
  AppendInbound(log, 1, 1);
  EXPECT_EQ(Settle(*two, here->Take(1)[0], v1::SETTLEMENT_ACTION_PARK), v1::SETTLEMENT_EFFECT_OK);
  EXPECT_EQ(two->Get("bot")->stats().parked_events(), 1u);
  v1::ReplayParkedEventsRequest request;
  request.set_subscription("bot");
  request.set_all(true);
  absl::Notification replayed;
  (*two)->ReplayParked(request, [&](const absl::StatusOr<v1::ReplayParkedEventsResponse>& response) {
    EXPECT_TRUE(response.ok()) << response.status();
    if (response.ok()) {
      EXPECT_EQ(response->replayed_events(), 1u);
    }
    replayed.Notify();
  });
  replayed.WaitForNotification();
  const v1::Delivery again = here->Take(1)[0];
  EXPECT_EQ(again.event().delivery_id(), "d1");
  EXPECT_EQ(again.attempt(), 1u);
}

TEST_F(SubscriptionReplicasTest, AnEventIsParkedOnceThoughAnAnswerOfTheStoreWasLost) {
  FailingBucket& parked = StartFailing(kParkedEvents);
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot");
  AppendInbound(log, 1, 1);
  v1::AcknowledgeEventsRequest request;
  request.set_subscription("bot");
  request.add_settlements()->set_ack_token(here->Take(1)[0].ack_token());
  request.mutable_settlements(0)->set_action(v1::SETTLEMENT_ACTION_PARK);
  parked.FailNext(FailingBucket::Failure::kNotHeardOf);
  EXPECT_FALSE(Acknowledge(*one, request).ok());
  Advance(absl::Seconds(5));  // it is written again
  EXPECT_EQ(two->Get("bot")->stats().parked_events(), 1u);
  EXPECT_EQ(ListNow(state, kParkedEvents, "", "", 10)->size(), 1u);
}

TEST_F(SubscriptionReplicasTest, ASeekOnOneReplicaDrainsTheStreamsOfAll) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot");
  const auto there = Consume(*two, "bot");
  AppendInbound(log, 1, 10);
  Settled();
  absl::Notification moved;
  (*two)->Seek("bot", Earliest{}, [&](const absl::StatusOr<v1::Subscription>& subscription) {
    EXPECT_TRUE(subscription.ok()) << subscription.status();
    moved.Notify();
  });
  moved.WaitForNotification();
  EXPECT_EQ(here->AwaitDrain(), "seek");
  EXPECT_EQ(there->AwaitDrain(), "seek");
  EXPECT_EQ(IdsOf(Consume(*one, "bot")->Take(10)).size(), 10u);
}

TEST_F(SubscriptionReplicasTest, ADeletionEndsTheStreamsOfAll) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  const auto here = Consume(*one, "bot");
  absl::Notification deleted;
  (*two)->Delete("bot", [&](const absl::StatusOr<v1::DeleteSubscriptionResponse>&) { deleted.Notify(); });
  deleted.WaitForNotification();
  EXPECT_EQ(here->AwaitDrain(), "") << "it ends with SUBSCRIPTION_NOT_FOUND";
}

TEST_F(SubscriptionReplicasTest, OfModeCursorOneConsumerOverAllReplicasHasIt) {
  Create("ledger", v1::SUBSCRIPTION_MODE_CURSOR);
  AppendInbound(log, 1, 3);
  const auto first = Consume(*one, "ledger");
  const std::vector<v1::Delivery> seen = first->Take(3);
  const auto second = Consume(*two, "ledger");
  EXPECT_EQ(second->waiting(), 0u);
  // An acknowledgement on the other replica is the same.
  v1::AcknowledgeEventsRequest request;
  request.set_subscription("ledger");
  request.set_up_to_cursor(seen[1].event().cursor());
  const auto answer = Acknowledge(*two, request);
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(answer->acknowledged_cursor(), seen[1].event().cursor());
  first->Leave();
  Settled();
  EXPECT_THAT(IdsOf(second->Take(1)), ElementsAre("d3"));
}

TEST_F(SubscriptionReplicasTest, OfModeCursorForceEndsTheConsumerOnAnotherReplicaAndFencesIt) {
  Create("ledger", v1::SUBSCRIPTION_MODE_CURSOR);
  AppendInbound(log, 1, 3);
  const auto first = Consume(*one, "ledger");
  const std::vector<v1::Delivery> seen = first->Take(3);
  const auto second = Consume(*two, "ledger", /*take_over=*/true);
  EXPECT_EQ(first->AwaitDrain(), "taken over");
  EXPECT_EQ(second->Take(3).size(), 3u);
}

TEST_F(SubscriptionReplicasTest, OfModeCursorADeadReplicasConsumerIsFollowedByOneThatWaits) {
  Create("ledger", v1::SUBSCRIPTION_MODE_CURSOR);
  AppendInbound(log, 1, 2);
  Consume(*one, "ledger")->Take(2);
  const auto second = Consume(*two, "ledger");
  one->Kill();
  Advance(absl::Seconds(10));
  EXPECT_EQ(second->Take(2).size(), 2u);
}

TEST_F(SubscriptionReplicasTest, OfModeCursorAReplicaThatIsCutOffHandsNothingOut) {
  Create("ledger", v1::SUBSCRIPTION_MODE_CURSOR);
  AppendInbound(log, 1, 1);
  const auto cut_off = Consume(*one, "ledger");
  cut_off->Take(1);
  one->Sever(true);
  const auto heir = Consume(*two, "ledger");
  Advance(absl::Seconds(10));
  EXPECT_EQ(heir->Take(1).size(), 1u);
  AppendNow(log, InboundEvent(2));
  EXPECT_THAT(IdsOf(heir->Take(1)), ElementsAre("d2"));
  one->Sever(false);
  Advance(absl::Seconds(6));
  EXPECT_EQ(cut_off->AwaitDrain(), "moved");
  EXPECT_EQ(cut_off->waiting(), 0u) << "it was another replica's";
}

TEST_F(SubscriptionReplicasTest, OfModeCursorWhatCameWhileAReplicaWasCutOffComesWhenNobodyElseTookIt) {
  Create("ledger", v1::SUBSCRIPTION_MODE_CURSOR);
  AppendInbound(log, 1, 1);
  const auto consumer = Consume(*one, "ledger");
  consumer->Take(1);
  one->Sever(true);
  Advance(absl::Seconds(10));
  AppendNow(log, InboundEvent(2));
  AppendNow(log, InboundEvent(3));
  one->Sever(false);
  Advance(absl::Seconds(3));
  EXPECT_THAT(IdsOf(consumer->Take(2)), UnorderedElementsAre("d2", "d3"));
}

TEST_F(SubscriptionReplicasTest, OfModeCursorNothingIsAcknowledgedThatTheNextOwnerDoesNotHearOf) {
  FailingBucket& assignments = StartFailing(kAssignments);
  Create("ledger", v1::SUBSCRIPTION_MODE_CURSOR);
  AppendInbound(log, 1, 3);
  const auto first = Consume(*one, "ledger");
  v1::AcknowledgeEventsRequest request;
  request.set_subscription("ledger");
  request.set_up_to_cursor(first->Take(3)[2].event().cursor());
  const auto second = Consume(*two, "ledger");
  // It comes when what the next owner is to go on from has been copied already.
  absl::Status late;
  assignments.BeforeNext([&] { (*one)->Acknowledge(request, [&](const auto& answer) { late = answer.status(); }); });
  first->Leave();
  Settled();
  EXPECT_EQ(IdsOf(second->Take(3)).size(), 3u);
  EXPECT_TRUE(HasReason(late, GatewayReason::kDraining)) << late;
}

TEST_F(SubscriptionReplicasTest, FallingBehindRetentionIsSaidWithBothEnds) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  AppendInbound(log, 1, 30);
  one.reset();
  two.reset();
  log.Trim(11);
  one = Start("three");  // its ring begins at the head: it has to read the log
  two = Start("four");
  Settled();
  const auto later = Consume(*one, "bot", false, 1);
  const v1::Delivery next = later->Take(1)[0];
  EXPECT_EQ(next.event().delivery_id(), "d11");
  ASSERT_EQ(later->gaps().size(), 1u);
  EXPECT_EQ(DecodeCursor(later->gaps()[0].from_cursor())->sequence, 0u);
  EXPECT_EQ(DecodeCursor(later->gaps()[0].to_cursor())->sequence, 10u);
}

// One that takes no frames while the subscription loses events twice hears of both in one frame; one that takes them,
// in two. What was lost is counted either way, and nothing else is lost.
TEST_F(SubscriptionReplicasTest, GapsThatWereNotTakenYetAreMergedIntoOne) {
  Create("bot", v1::SUBSCRIPTION_MODE_SHARED);
  AppendInbound(log, 1, 90);  // of 90 conversations
  one.reset();
  two.reset();
  log.Trim(11);
  // Reads ten events at a time, and no further while there is one to hand out.
  SubscriptionsOptions options;
  options.limits.ready = 1;
  EventHubOptions hub;
  hub.page_events = 10;
  one = std::make_unique<Replica>("three", log, state, network, clock, random, options, hub);
  const auto busy = Consume(*one, "bot", false, 1, /*hold=*/true);
  const auto quick = Consume(*one, "bot", false, 1);
  std::vector<v1::Delivery> taken = quick->Take(1);
  EXPECT_EQ(taken[0].event().delivery_id(), "d11");
  log.Trim(51);  // while 12 to 20 wait to be handed out
  std::set<std::string> ids;
  while (ids.size() < 50) {
    ASSERT_FALSE(taken.empty());
    ids.insert(taken[0].event().delivery_id());
    ASSERT_EQ(Settle(*one, taken[0]), v1::SETTLEMENT_EFFECT_OK);
    if (ids.size() < 50) taken = quick->Take(1);
  }
  std::set<std::string> kept;
  for (const auto& [first, last] : {std::pair(11, 20), std::pair(51, 90)}) {
    for (int number = first; number <= last; ++number) kept.insert(absl::StrCat("d", number));
  }
  EXPECT_EQ(ids, kept);
  const std::vector<v1::Gap> told = quick->AwaitGaps(2);
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(DecodeCursor(told[0].from_cursor())->sequence, 0u);
  EXPECT_EQ(DecodeCursor(told[0].to_cursor())->sequence, 10u);
  EXPECT_EQ(DecodeCursor(told[1].from_cursor())->sequence, 20u);
  EXPECT_EQ(DecodeCursor(told[1].to_cursor())->sequence, 50u);

  busy->Hold(false);

  const std::vector<v1::Gap> merged = busy->AwaitGaps(1);
  ASSERT_EQ(merged.size(), 1u);
  EXPECT_EQ(DecodeCursor(merged[0].from_cursor())->sequence, 0u);
  EXPECT_EQ(DecodeCursor(merged[0].to_cursor())->sequence, 50u);
  // The next frame is no second one of them.
  AppendNow(log, InboundEvent(91));
  AppendNow(log, InboundEvent(92));
  EXPECT_EQ(busy->Take(1).size(), 1u);
  EXPECT_EQ(busy->gaps().size(), 1u);
  EXPECT_THAT(one->Metrics(), testing::HasSubstr("aulm_subscription_gaps_total{subscription=\"bot\"} 2\n"));
}

}  // namespace
}  // namespace aulm::gateway
