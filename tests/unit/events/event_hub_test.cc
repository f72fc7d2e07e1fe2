#include "service/events/event_hub.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "tests/unit/events/stream_harness.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAreArray;

class CountingWaiter final : public HeadWaiter {
 public:
  void OnHead() override { woken.Notify(); }
  absl::Notification woken;
};

TEST(EventHubTest, BeginsAtTheHeadOfTheLog) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  EXPECT_EQ(harness.hub.head().sequence, 5u);
  EXPECT_NE(harness.hub.head().fingerprint, 0u);
  EXPECT_EQ(harness.hub.Look(4).where, EventHub::View::Where::kBehind);
  EXPECT_EQ(harness.hub.Look(5).where, EventHub::View::Where::kAtHead);
}

TEST(EventHubTest, DoesNotStartOnALogThatCannotBeRead) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.log.FailReads(absl::UnavailableError("away"));
  EXPECT_TRUE(HasReason(harness.hub.Start(), GatewayReason::kStoreUnavailable));
}

TEST(EventHubTest, EncodesEachEventOnceHoweverManyStreamsTakeIt) {
  StreamHarness harness;
  harness.Start();
  std::vector<std::unique_ptr<TestSubscriber>> subscribers;
  for (int i = 0; i < 10; ++i) subscribers.push_back(harness.Subscribe({}));
  AppendInbound(harness.log, 1, 50);
  for (auto& subscriber : subscribers) {
    EXPECT_THAT(subscriber->TakeEvents(50), ElementsAreArray(DeliveryIds(1, 50)));
  }
  EXPECT_EQ(harness.metrics.encoded_events->Value(), 50);
  EXPECT_EQ(harness.metrics.catch_up_reads->Value(), 0);
}

TEST(EventHubTest, WakesAWaiterOnce) {
  StreamHarness harness;
  harness.Start();
  const auto waiter = std::make_shared<CountingWaiter>();
  EXPECT_TRUE(harness.hub.WaitAtHead(0, waiter));
  AppendInbound(harness.log, 1, 1);
  EXPECT_TRUE(waiter->woken.WaitForNotificationWithTimeout(kPatience));
  AppendInbound(harness.log, 2, 2);  // would notify twice, which absl::Notification does not survive
  harness.WaitForRing();
}

TEST(EventHubTest, TellsOfNewEventsBeforeItWakesWhoeverWaitsForThem) {
  FakeClock clock;
  FakeEventLog log;
  prometheus::Registry registry;
  EventsMetrics metrics(registry);
  AppendInbound(log, 1, 3);
  absl::Mutex mutex;
  std::vector<std::string> told;
  EventHubOptions options;
  options.on_events = [&](const EventPage& page) {
    absl::MutexLock lock(&mutex);
    for (const LoggedEvent& event : page.events) told.emplace_back(event.delivery_id);
  };
  EventHub hub(log, clock, metrics, options);
  ASSERT_TRUE(hub.Start().ok());
  const auto waiter = std::make_shared<CountingWaiter>();
  EXPECT_TRUE(hub.WaitAtHead(3, waiter));

  AppendInbound(log, 4, 4);

  EXPECT_TRUE(waiter->woken.WaitForNotificationWithTimeout(kPatience));
  absl::MutexLock lock(&mutex);
  EXPECT_THAT(told, ElementsAreArray(DeliveryIds(4, 4)));
}

TEST(EventHubTest, DoesNotWaitWhereThereIsMoreAlready) {
  StreamHarness harness;
  harness.Start();
  AppendInbound(harness.log, 1, 1);
  harness.WaitForRing();
  EXPECT_FALSE(harness.hub.WaitAtHead(0, std::make_shared<CountingWaiter>()));
}

TEST(EventHubTest, AWaiterThatLeftIsNotHeld) {
  StreamHarness harness;
  harness.Start();
  auto waiter = std::make_shared<CountingWaiter>();
  harness.hub.WaitAtHead(0, waiter);
  EXPECT_EQ(waiter.use_count(), 2);
  harness.hub.StopWaiting(waiter);
  EXPECT_EQ(waiter.use_count(), 1);
}

TEST(EventHubTest, ReadsOnAfterTheStoreWasAway) {
  StreamHarness harness;
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  harness.log.FailReads(absl::UnavailableError("away"));
  AppendInbound(harness.log, 1, 3);
  harness.log.FailReads(absl::OkStatus());
  EXPECT_EQ(harness.PassTimeUntilNews(*subscriber)->event_batch().deliveries_size(), 3);
}

TEST(EventHubTest, TheRingStaysWithinItsBytes) {
  EventHubOptions options;
  options.ring_bytes = 20'000;
  options.page_events = 5;
  StreamHarness harness(options);
  harness.Start();
  AppendInbound(harness.log, 1, 1000);
  harness.WaitForRing();
  EXPECT_LE(harness.metrics.ring_bytes->Value(), 20'000);
  EXPECT_GT(harness.metrics.ring_events->Value(), 5);
  EXPECT_EQ(harness.hub.Look(1).where, EventHub::View::Where::kBehind);
}

TEST(EventHubTest, AHubThatRetentionOvertakesLosesNobodyInSilence) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  harness.log.FailReads(absl::UnavailableError("away"));
  AppendInbound(harness.log, 6, 20);
  harness.log.Trim(11);
  harness.log.FailReads(absl::OkStatus());
  EXPECT_TRUE(HasReason(harness.PassTimeUntilNews(*subscriber).status(), GatewayReason::kCursorExpired));
  const auto next = harness.Subscribe(FromEarliest());
  EXPECT_THAT(next->TakeEvents(10), ElementsAreArray(DeliveryIds(11, 20)));
}

TEST(EventHubTest, ResolvesWhatTheRingKnowsWithoutReading) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  AppendInbound(harness.log, 6, 10);
  harness.WaitForRing();
  const auto subscriber = harness.Subscribe(FromEarliest());
  ASSERT_EQ(subscriber->TakeEvents(10).size(), 10u);
  const Cursor in_ring =
      *DecodeCursor(subscriber->last_batch.deliveries(subscriber->last_batch.deliveries_size() - 2).event().cursor());
  harness.log.FailReads(absl::UnavailableError("away"));
  ASSERT_TRUE(harness.hub.TryResolve(in_ring).has_value());
  EXPECT_EQ(harness.hub.TryResolve(in_ring)->sequence, 9u);
  EXPECT_TRUE(harness.hub.TryResolve(Latest{}).has_value());
  EXPECT_TRUE(harness.hub.TryResolve(Earliest{}).has_value());
  Cursor other = in_ring;
  ++other.fingerprint;
  EXPECT_FALSE(harness.hub.TryResolve(other).has_value());
  EXPECT_FALSE(harness.hub.TryResolve(Cursor{in_ring.epoch, 2, 1}).has_value());
  EXPECT_FALSE(harness.hub.TryResolve(harness.clock.Now()).has_value());
}

}  // namespace
}  // namespace aulm::gateway
