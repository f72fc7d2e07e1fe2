#include "service/events/event_stream.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "tests/unit/events/stream_harness.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

uint64_t SequenceOf(const std::string& cursor) {
  const absl::StatusOr<Cursor> decoded = DecodeCursor(cursor);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  return decoded.ok() ? decoded->sequence : 0;
}

StreamSpec OnlySession(int session, StreamSpec spec = FromEarliest()) {
  v1::EventFilter filter;
  filter.add_session_ids(SampleSession(session));
  spec.selection.filter = EventFilter(filter);
  return spec;
}

TEST(EventStreamTest, StartedIsTheFirstFrameAlsoOnAnEmptyLog) {
  StreamHarness harness;
  harness.Start();
  TestSubscriber subscriber(harness.streams, {});
  ASSERT_TRUE(subscriber.Start().ok());
  const v1::SubscribeEventsResponse response = subscriber.Next();
  ASSERT_TRUE(response.has_started());
  EXPECT_EQ(response.started().stream_id(), subscriber.stream->id());
  EXPECT_EQ(SequenceOf(response.started().earliest_cursor()), 0u);
  EXPECT_EQ(SequenceOf(response.started().head_cursor()), 0u);
}

TEST(EventStreamTest, StartedNamesTheEndsOfTheLog) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 10);
  harness.log.Trim(4);
  harness.Start();
  TestSubscriber subscriber(harness.streams, {});
  ASSERT_TRUE(subscriber.Start().ok());
  const v1::SubscribeEventsResponse response = subscriber.Next();
  EXPECT_EQ(SequenceOf(response.started().earliest_cursor()), 3u);
  EXPECT_EQ(SequenceOf(response.started().head_cursor()), 10u);
}

TEST(EventStreamTest, BothCursorsOfStartedCanBeSubscribedAfter) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 10);
  harness.log.Trim(4);
  harness.Start();
  TestSubscriber first(harness.streams, {});
  ASSERT_TRUE(first.Start().ok());
  const v1::Started started = first.Next().started();
  EXPECT_THAT(harness.Subscribe(After(started.earliest_cursor()))->TakeEvents(7), ElementsAreArray(DeliveryIds(4, 10)));
  AppendInbound(harness.log, 11, 11);
  EXPECT_THAT(harness.Subscribe(After(started.head_cursor()))->TakeEvents(1), ElementsAre("d11"));
}

TEST(EventStreamTest, LatestGivesOnlyWhatComesAfterStarted) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  AppendInbound(harness.log, 6, 8);
  EXPECT_THAT(subscriber->TakeEvents(3), ElementsAreArray(DeliveryIds(6, 8)));
}

TEST(EventStreamTest, LatestHoldsAlsoWhereTheRingIsBehindTheLog) {
  StreamHarness harness;
  harness.Start();
  harness.log.FailReads(absl::UnavailableError("paused"));
  AppendInbound(harness.log, 1, 5);
  TestSubscriber subscriber(harness.streams, {});
  harness.log.FailReads(absl::OkStatus());
  ASSERT_TRUE(subscriber.Start().ok());
  EXPECT_TRUE(subscriber.Next().has_started());
  AppendInbound(harness.log, 6, 6);
  EXPECT_THAT(subscriber.TakeEvents(1), ElementsAre("d6"));
}

TEST(EventStreamTest, EarliestReadsTheWholeLogInOrder) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 3000);
  harness.Start();
  EXPECT_THAT(harness.Subscribe(FromEarliest())->TakeEvents(3000), ElementsAreArray(DeliveryIds(1, 3000)));
}

TEST(EventStreamTest, StartTimeBeginsWithTheFirstEventIngestedAtIt) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 3);
  harness.clock.Advance(absl::Seconds(10));
  AppendInbound(harness.log, 4, 5);
  harness.Start();
  StreamSpec spec;
  spec.start = harness.clock.Now();
  EXPECT_THAT(harness.Subscribe(spec)->TakeEvents(2), ElementsAre("d4", "d5"));
}

TEST(EventStreamTest, StartTimeInTheQuietBeforeTheNextEventBeginsWithThat) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 3);
  harness.Start();
  StreamSpec spec;
  harness.clock.Advance(absl::Seconds(10));
  spec.start = harness.clock.Now();
  const auto subscriber = harness.Subscribe(spec);
  AppendInbound(harness.log, 4, 4);
  EXPECT_THAT(subscriber->TakeEvents(1), ElementsAre("d4"));
}

TEST(EventStreamTest, ResumesAfterEachEventsOwnCursor) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  const auto first = harness.Subscribe(FromEarliest());
  ASSERT_EQ(first->TakeEvents(5).size(), 5u);
  for (int i = 0; i < 4; ++i) {
    const std::string& cursor = first->last_batch.deliveries(i).event().cursor();
    EXPECT_THAT(harness.Subscribe(After(cursor))->TakeEvents(4 - i), ElementsAreArray(DeliveryIds(i + 2, 5)));
  }
}

TEST(EventStreamTest, EventsCarryCursorIngestedTimeAndWhatWasStored) {
  StreamHarness harness;
  harness.Start();
  AppendNow(harness.log, InboundEvent(1));
  const auto subscriber = harness.Subscribe(FromEarliest());
  ASSERT_EQ(subscriber->TakeEvents(1).size(), 1u);
  const v1::Event& event = subscriber->last_batch.deliveries(0).event();
  EXPECT_EQ(SequenceOf(event.cursor()), 1u);
  EXPECT_EQ(google::protobuf::util::TimeUtil::TimestampToMilliseconds(event.ingested_time()),
            absl::ToUnixMillis(harness.clock.Now()));
  EXPECT_EQ(event.inbound_message().body(), "text 1");
  EXPECT_EQ(event.raw_body(), "");
}

TEST(EventStreamTest, RawBodiesComeWhenAskedForStoredAndLive) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 2);
  harness.Start();
  StreamSpec spec = FromEarliest();
  spec.include_raw_body = true;
  const auto subscriber = harness.Subscribe(spec);
  ASSERT_EQ(subscriber->TakeEvents(2).size(), 2u);
  EXPECT_EQ(subscriber->last_batch.deliveries(1).event().raw_body(), "{\"number\":2}");
  AppendInbound(harness.log, 3, 3);
  ASSERT_EQ(subscriber->TakeEvents(1).size(), 1u);
  EXPECT_EQ(subscriber->last_batch.deliveries(0).event().raw_body(), "{\"number\":3}");
}

TEST(EventStreamTest, AFrameHoldsAsManyEventsAsAreReadyUpToTheBatchSize) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 10);
  harness.Start();
  StreamSpec spec = FromEarliest();
  spec.max_batch_events = 4;
  const auto subscriber = harness.Subscribe(spec);
  std::vector<int> sizes;
  for (int i = 0; i < 3; ++i) sizes.push_back(subscriber->Next().event_batch().deliveries_size());
  EXPECT_THAT(sizes, ElementsAre(4, 4, 2));
}

TEST(EventStreamTest, ALiveEventDoesNotWaitForABatchToFill) {
  StreamHarness harness;
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  const auto pending = subscriber->Ask();
  AppendInbound(harness.log, 1, 1);
  EXPECT_EQ(TestSubscriber::Decode(pending).event_batch().deliveries_size(), 1);
}

TEST(EventStreamTest, AFrameEndsAtOneMebibyte) {
  StreamHarness harness;
  for (int number = 1; number <= 3; ++number) {
    NewEvent event = InboundEvent(number);
    v1::Event encoded;
    encoded.set_delivery_id(event.delivery_id);
    encoded.mutable_inbound_message()->set_body(std::string(400 << 10, 'x'));
    event.event = encoded.SerializeAsString();
    AppendNow(harness.log, event);
  }
  EventHubOptions wide;
  wide.page_bytes = 8 << 20;
  StreamHarness other(wide);
  for (const NewEvent& event : harness.log.stored()) AppendNow(other.log, event);
  other.Start();
  const auto subscriber = other.Subscribe(FromEarliest());
  EXPECT_EQ(subscriber->Next().event_batch().deliveries_size(), 2);
  EXPECT_EQ(subscriber->Next().event_batch().deliveries_size(), 1);
}

TEST(EventStreamTest, AnEventLargerThanAFrameComesAlone) {
  StreamHarness harness;
  for (int number = 1; number <= 3; ++number) {
    NewEvent event = InboundEvent(number);
    event.raw_body = std::string(1 << 20, 'x');
    AppendNow(harness.log, event);
  }
  harness.Start();
  StreamSpec spec = FromEarliest();
  spec.include_raw_body = true;
  const auto subscriber = harness.Subscribe(spec);
  for (int number = 1; number <= 3; ++number) {
    const v1::EventBatch batch = subscriber->Next().event_batch();
    ASSERT_EQ(batch.deliveries_size(), 1);
    EXPECT_EQ(batch.deliveries(0).event().raw_body().size(), 1u << 20);
  }
}

TEST(EventStreamTest, TheFilterHoldsForStoredAndLiveEvents) {
  StreamHarness harness;
  for (int number = 1; number <= 6; ++number) AppendNow(harness.log, InboundEvent(number, number % 2));
  harness.Start();
  const auto subscriber = harness.Subscribe(OnlySession(1));
  EXPECT_THAT(subscriber->TakeEvents(3), ElementsAre("d1", "d3", "d5"));
  for (int number = 7; number <= 9; ++number) AppendNow(harness.log, InboundEvent(number, number % 2));
  EXPECT_THAT(subscriber->TakeEvents(2), ElementsAre("d7", "d9"));
}

TEST(EventStreamTest, VisibilityLeavesOutWhatACallerMayNotSee) {
  StreamHarness harness;
  harness.Start();
  for (int number = 1; number <= 4; ++number) AppendNow(harness.log, InboundEvent(number, number % 2));
  StreamSpec spec = FromEarliest();
  auto visibility = std::make_shared<EventVisibility>();
  visibility->session_ids.emplace({SampleSession(0)});
  spec.selection.visibility = visibility;
  EXPECT_THAT(harness.Subscribe(spec)->TakeEvents(2), ElementsAre("d2", "d4"));
}

TEST(EventStreamTest, ResumeCursorCoversFilteredEventsBehindTheLastDelivery) {
  StreamHarness harness;
  AppendNow(harness.log, InboundEvent(1, 1));
  for (int number = 2; number <= 5; ++number) AppendNow(harness.log, InboundEvent(number, 2));
  harness.Start();
  const auto subscriber = harness.Subscribe(OnlySession(1));
  const v1::EventBatch batch = subscriber->Next().event_batch();
  EXPECT_EQ(batch.deliveries_size(), 1);
  EXPECT_EQ(SequenceOf(batch.resume_cursor()), 5u);
}

TEST(EventStreamTest, ResumeCursorNeverPassesAnUndeliveredEvent) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 10);
  harness.Start();
  StreamSpec spec = FromEarliest();
  spec.max_batch_events = 3;
  const auto subscriber = harness.Subscribe(spec);
  for (const uint64_t expected : {3u, 6u, 9u, 10u}) {
    EXPECT_EQ(SequenceOf(subscriber->Next().event_batch().resume_cursor()), expected);
  }
}

TEST(EventStreamTest, AnIdleStreamHeartbeatsAtItsInterval) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  StreamSpec spec;
  spec.heartbeat_interval = absl::Seconds(7);
  const auto subscriber = harness.Subscribe(spec);
  auto pending = subscriber->Ask();
  harness.clock.Advance(absl::Milliseconds(6999));
  EXPECT_FALSE(pending->has());
  harness.clock.Advance(absl::Milliseconds(1));
  ASSERT_TRUE(pending->has());
  const v1::Heartbeat heartbeat = TestSubscriber::Decode(pending).heartbeat();
  EXPECT_TRUE(heartbeat.caught_up());
  EXPECT_EQ(heartbeat.lag_events(), 0u);
  EXPECT_EQ(SequenceOf(heartbeat.resume_cursor()), 5u);
  pending = subscriber->Ask();
  harness.clock.Advance(absl::Milliseconds(6999));
  EXPECT_FALSE(pending->has());
  harness.clock.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(pending->has());
}

TEST(EventStreamTest, AFrameOfEventsPutsTheHeartbeatOff) {
  StreamHarness harness;
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  harness.clock.Advance(absl::Seconds(15));
  AppendInbound(harness.log, 1, 1);
  EXPECT_TRUE(subscriber->Next().has_event_batch());
  const auto pending = subscriber->Ask();
  harness.clock.Advance(absl::Milliseconds(19'999));
  EXPECT_FALSE(pending->has());
  harness.clock.Advance(absl::Milliseconds(1));
  EXPECT_TRUE(TestSubscriber::Decode(pending).has_heartbeat());
}

TEST(EventStreamTest, HeartbeatsMoveOnWhileEveryEventIsFilteredOut) {
  StreamHarness harness;
  harness.Start();
  const auto subscriber = harness.Subscribe(OnlySession(9, {}));
  const auto pending = subscriber->Ask();
  AppendInbound(harness.log, 1, 100);
  harness.WaitForRing();
  harness.clock.Advance(absl::Seconds(20));
  const v1::Heartbeat heartbeat = TestSubscriber::Decode(pending).heartbeat();
  EXPECT_LE(SequenceOf(heartbeat.resume_cursor()) + heartbeat.lag_events(), 100u);
  AppendNow(harness.log, InboundEvent(101, 9));
  EXPECT_THAT(subscriber->TakeEvents(1), ElementsAre("d101"));
}

TEST(EventStreamTest, HeartbeatsSayTheLagWhileTheStoreIsAway) {
  StreamHarness harness;
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  const auto pending = subscriber->Ask();
  harness.log.FailReads(absl::UnavailableError("away"));
  AppendInbound(harness.log, 1, 5);
  harness.clock.Advance(absl::Seconds(20));
  const v1::Heartbeat heartbeat = TestSubscriber::Decode(pending).heartbeat();
  EXPECT_FALSE(heartbeat.caught_up());
  EXPECT_EQ(heartbeat.lag_events(), 5u);
  harness.log.FailReads(absl::OkStatus());
  EXPECT_EQ(harness.PassTimeUntilNews(*subscriber)->event_batch().deliveries_size(), 5);
}

TEST(EventStreamTest, ACatchUpReadThatFailsIsRepeated) {
  EventHubOptions options;
  options.read_threads = 1;
  StreamHarness harness(options);
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  const auto subscriber = harness.Subscribe(FromEarliest());
  harness.log.FailReads(absl::UnavailableError("away"));
  const auto pending = subscriber->Ask();
  absl::Notification read;
  harness.hub.Post([&read] { read.Notify(); });  // the only worker has failed to read before
  read.WaitForNotification();
  EXPECT_FALSE(pending->has());
  EXPECT_EQ(harness.metrics.read_failures->Value(), 1);
  harness.log.FailReads(absl::OkStatus());
  harness.clock.Advance(options.retry_delay);
  EXPECT_EQ(TestSubscriber::Decode(pending).event_batch().deliveries_size(), 5);
}

TEST(EventStreamTest, AStoreThatIsAwayAtAdmissionIsUnavailable) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  harness.log.FailReads(absl::UnavailableError("away"));
  StreamSpec spec;
  spec.start = harness.clock.Now();
  TestSubscriber subscriber(harness.streams, spec);
  EXPECT_TRUE(HasReason(subscriber.Start(), GatewayReason::kStoreUnavailable));
}

TEST(EventStreamTest, AnExpiredCursorFailsBeforeTheFirstFrame) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  const auto first = harness.Subscribe(FromEarliest());
  ASSERT_EQ(first->TakeEvents(5).size(), 5u);
  const std::string cursor = first->last_batch.deliveries(0).event().cursor();
  harness.log.Trim(4);
  TestSubscriber subscriber(harness.streams, After(cursor));
  const absl::Status status = subscriber.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(HasReason(status, GatewayReason::kCursorExpired));
  std::string earliest;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(DetailsOf(status)->metadata["earliest_cursor"], &earliest));
  EXPECT_THAT(harness.Subscribe(After(earliest))->TakeEvents(2), ElementsAre("d4", "d5"));
}

TEST(EventStreamTest, AnExpiredCursorWithEarliestGivesAGapAndGoesOn) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  const auto first = harness.Subscribe(FromEarliest());
  ASSERT_EQ(first->TakeEvents(5).size(), 5u);
  const std::string cursor = first->last_batch.deliveries(0).event().cursor();
  harness.log.Trim(4);
  StreamSpec spec = After(cursor);
  spec.on_expired = OnExpired::kEarliest;
  const auto subscriber = harness.Subscribe(spec);
  const v1::Gap gap = subscriber->Next().gap();
  EXPECT_EQ(gap.from_cursor(), cursor);
  EXPECT_EQ(SequenceOf(gap.to_cursor()), 3u);
  EXPECT_FALSE(gap.reason().empty());
  EXPECT_THAT(subscriber->TakeEvents(2), ElementsAre("d4", "d5"));
}

TEST(EventStreamTest, AnExpiredCursorWithLatestGivesAGapAndLiveEvents) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  StreamSpec spec;
  spec.start = Cursor{/*epoch=*/99, 3, 12345};
  spec.on_expired = OnExpired::kLatest;
  const auto subscriber = harness.Subscribe(spec);
  EXPECT_EQ(SequenceOf(subscriber->Next().gap().to_cursor()), 5u);
  AppendInbound(harness.log, 6, 6);
  EXPECT_THAT(subscriber->TakeEvents(1), ElementsAre("d6"));
}

// Falls behind what is kept while it is admitted and slow.
class OvertakenStream {
 public:
  explicit OvertakenStream(OnExpired on_expired) {
    EventHubOptions small;
    small.ring_bytes = 1;  // the newest page only
    small.page_events = 10;
    harness = std::make_unique<StreamHarness>(small);
    AppendInbound(harness->log, 1, 10);
    harness->Start();
    StreamSpec spec = FromEarliest();
    spec.on_expired = on_expired;
    spec.max_batch_events = 5;
    subscriber = harness->Subscribe(spec);
    EXPECT_EQ(subscriber->TakeEvents(10).size(), 10u);
    for (int number = 11; number <= 100; number += 10) {
      AppendInbound(harness->log, number, number + 9);
      harness->WaitForRing();
    }
    harness->log.Trim(51);
  }
  std::unique_ptr<StreamHarness> harness;
  std::unique_ptr<TestSubscriber> subscriber;
};

TEST(EventStreamTest, ALiveStreamThatRetentionOvertakesEndsWithCursorExpired) {
  OvertakenStream overtaken(OnExpired::kFail);
  const auto pending = overtaken.subscriber->Ask();
  EXPECT_TRUE(HasReason(pending->Wait().status(), GatewayReason::kCursorExpired));
}

TEST(EventStreamTest, ALiveStreamThatRetentionOvertakesGetsAGapAndTheOldestEvents) {
  OvertakenStream overtaken(OnExpired::kEarliest);
  const v1::Gap gap = overtaken.subscriber->Next().gap();
  EXPECT_EQ(SequenceOf(gap.from_cursor()), 10u);
  EXPECT_EQ(SequenceOf(gap.to_cursor()), 50u);
  EXPECT_THAT(overtaken.subscriber->TakeEvents(50), ElementsAreArray(DeliveryIds(51, 100)));
}

TEST(EventStreamTest, ALiveStreamThatRetentionOvertakesGetsAGapAndLiveEvents) {
  OvertakenStream overtaken(OnExpired::kLatest);
  EXPECT_EQ(SequenceOf(overtaken.subscriber->Next().gap().to_cursor()), 100u);
  AppendInbound(overtaken.harness->log, 101, 101);
  EXPECT_THAT(overtaken.subscriber->TakeEvents(1), ElementsAre("d101"));
}

TEST(EventStreamTest, DrainGivesTheLastFrameAndThenTheEnd) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 5);
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  const auto pending = subscriber->Ask();
  harness.streams.Drain();
  const v1::Drain drain = TestSubscriber::Decode(pending).drain();
  EXPECT_EQ(drain.reason(), "shutdown");
  EXPECT_EQ(SequenceOf(drain.resume_cursor()), 5u);
  EXPECT_EQ(google::protobuf::util::TimeUtil::DurationToMilliseconds(drain.reconnect_after()), 1000);
  const absl::Status end = subscriber->Ask()->Wait().status();
  EXPECT_EQ(end.code(), absl::StatusCode::kUnavailable);
  EXPECT_TRUE(HasReason(end, GatewayReason::kDraining));
}

TEST(EventStreamTest, DrainWhileAFrameIsOnItsWayComesWithTheNext) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 10);
  harness.Start();
  StreamSpec spec = FromEarliest();
  spec.max_batch_events = 3;
  const auto subscriber = harness.Subscribe(spec);
  ASSERT_TRUE(subscriber->Next().has_event_batch());
  harness.streams.Drain();
  EXPECT_EQ(SequenceOf(subscriber->Next().drain().resume_cursor()), 3u);
}

TEST(EventStreamTest, DrainIsNotHeldUpByAReadOfTheLog) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 10);
  harness.Start();
  const auto subscriber = harness.Subscribe(FromEarliest());
  harness.log.FailReads(absl::UnavailableError("away"));
  const auto pending = subscriber->Ask();
  harness.streams.Drain();
  EXPECT_EQ(SequenceOf(TestSubscriber::Decode(pending).drain().resume_cursor()), 0u);
}

TEST(EventStreamTest, AnOldStreamIsDrainedBetweenEightyAndAHundredPercentOfItsAge) {
  for (const double chance : {0.0, 0.999}) {
    StreamHarness harness;
    harness.random.uniform = chance;
    harness.Start();
    StreamSpec spec;
    spec.heartbeat_interval = absl::Seconds(20);
    const auto subscriber = harness.Subscribe(spec);
    absl::Duration age;
    while (true) {
      const auto pending = subscriber->Ask();
      while (!pending->has()) {
        harness.clock.Advance(absl::Seconds(4));
        age += absl::Seconds(4);
      }
      const v1::SubscribeEventsResponse response = TestSubscriber::Decode(pending);
      if (!response.has_drain()) continue;
      EXPECT_EQ(response.drain().reason(), "age");
      break;
    }
    EXPECT_NEAR(absl::ToDoubleSeconds(age), chance == 0.0 ? 2880 : 3600, 5);
  }
}

TEST(EventStreamTest, ManyFilteredEventsInTheRingLetOthersHaveTheirTurn) {
  EventHubOptions hub;
  hub.read_threads = 1;
  EventStreamsOptions streams;
  streams.stream.scan_budget = 100;
  StreamHarness harness(hub, streams);
  harness.Start();
  AppendInbound(harness.log, 1, 2000);
  AppendNow(harness.log, InboundEvent(2001, 9));
  harness.WaitForRing();
  const auto subscriber = harness.Subscribe(OnlySession(9));
  // The only worker is kept busy: the stream must have given up its callback's thread by then.
  absl::Notification release;
  harness.hub.Post([&release] { release.WaitForNotification(); });
  const auto pending = subscriber->Ask();
  EXPECT_FALSE(pending->has());
  harness.clock.Advance(absl::Seconds(20));
  const v1::Heartbeat heartbeat = TestSubscriber::Decode(pending).heartbeat();
  EXPECT_FALSE(heartbeat.caught_up());
  EXPECT_GT(SequenceOf(heartbeat.resume_cursor()), 0u);
  EXPECT_EQ(SequenceOf(heartbeat.resume_cursor()) + heartbeat.lag_events(), 2001u);
  release.Notify();
  EXPECT_THAT(subscriber->TakeEvents(1), ElementsAre("d2001"));
}

TEST(EventStreamTest, AStreamHasAtMostOneReadOutstanding) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 10);
  harness.Start();
  absl::Notification release;
  for (int i = 0; i < 2; ++i) harness.hub.Post([&release] { release.WaitForNotification(); });
  const size_t reads = harness.log.reads();
  const auto subscriber = harness.Subscribe(FromEarliest());
  const auto pending = subscriber->Ask();
  harness.clock.Advance(absl::Seconds(20));
  ASSERT_TRUE(TestSubscriber::Decode(pending).has_heartbeat());
  const auto events = subscriber->Ask();
  release.Notify();
  EXPECT_EQ(TestSubscriber::Decode(events).event_batch().deliveries_size(), 10);
  EXPECT_EQ(harness.log.reads(), reads + 1);
}

TEST(EventStreamTest, CloseDropsTheCallbackThatWaits) {
  StreamHarness harness;
  harness.Start();
  const auto subscriber = harness.Subscribe({});
  const auto pending = subscriber->Ask();
  subscriber->stream->Close();
  EXPECT_EQ(pending.use_count(), 1);
  AppendInbound(harness.log, 1, 1);
  harness.WaitForRing();
  EXPECT_FALSE(pending->has());
  EXPECT_EQ(harness.streams.size(), 0u);
}

TEST(EventStreamTest, AClosedStreamLeavesNoTimerAndNoReferenceBehind) {
  StreamHarness harness;
  harness.Start();
  const size_t timers = harness.clock.pending_timers();
  auto subscriber = harness.Subscribe({});
  subscriber->Ask();
  const std::weak_ptr<EventStream> stream = subscriber->stream;
  subscriber.reset();
  EXPECT_TRUE(stream.expired());
  EXPECT_EQ(harness.clock.pending_timers(), timers);
}

TEST(EventStreamTest, StreamsBeyondTheLimitAreRefused) {
  EventStreamsOptions options;
  options.max_streams = 2;
  StreamHarness harness({}, options);
  harness.Start();
  const auto first = harness.Subscribe({});
  auto second = harness.Subscribe({});
  TestSubscriber third(harness.streams, {});
  EXPECT_EQ(third.Start().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_TRUE(HasReason(third.refused, GatewayReason::kOverloaded));
  EXPECT_TRUE(RetryDelayOf(third.refused).has_value());
  second.reset();
  TestSubscriber fourth(harness.streams, {});
  EXPECT_TRUE(fourth.Start().ok());
}

TEST(EventStreamTest, NoStreamIsAdmittedWhileDraining) {
  StreamHarness harness;
  harness.Start();
  harness.streams.Drain();
  TestSubscriber subscriber(harness.streams, {});
  EXPECT_TRUE(HasReason(subscriber.Start(), GatewayReason::kDraining));
}

TEST(EventStreamTest, TheLagOfTheSlowestStreamIsMeasured) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 50);
  harness.Start();
  const auto slow = harness.Subscribe(FromEarliest());
  const auto quick = harness.Subscribe({});
  harness.clock.Advance(absl::Seconds(5));
  EXPECT_EQ(harness.metrics.max_lag_events->Value(), 50);
  EXPECT_EQ(slow->TakeEvents(50).size(), 50u);
  harness.clock.Advance(absl::Seconds(5));
  EXPECT_EQ(harness.metrics.max_lag_events->Value(), 0);
}

TEST(EventStreamTest, GapsInTheSequencesAreNoLoss) {
  StreamHarness harness;
  AppendInbound(harness.log, 1, 3);
  harness.log.SkipSequences(100);
  AppendInbound(harness.log, 4, 6);
  harness.Start();
  const auto subscriber = harness.Subscribe(FromEarliest());
  EXPECT_THAT(subscriber->TakeEvents(6), ElementsAreArray(DeliveryIds(1, 6)));
  harness.log.SkipSequences(100);
  AppendInbound(harness.log, 7, 8);
  EXPECT_THAT(subscriber->TakeEvents(2), ElementsAreArray(DeliveryIds(7, 8)));
}

}  // namespace
}  // namespace aulm::gateway
