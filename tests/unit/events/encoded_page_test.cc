#include "service/events/encoded_page.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "google/protobuf/util/time_util.h"
#include "gtest/gtest.h"
#include "service/events/cursor.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

EventPage ReadAll(EventLog& log, bool raw_body = false) {
  ReadLimits limits;
  limits.max_events = 100'000;
  limits.max_bytes = 100 << 20;
  limits.raw_body = raw_body;
  absl::StatusOr<EventPage> page = log.Read(0, limits);
  EXPECT_TRUE(page.ok());
  return *std::move(page);
}

std::string Bytes(const EncodedPage& page, size_t begin, size_t end) {
  return std::string(reinterpret_cast<const char*>(page.bytes().begin()) + begin, end - begin);
}

// What any run of events decodes to.
v1::EventBatch Batch(const EncodedPage& page, size_t first, size_t last) {
  v1::EventBatch batch;
  EXPECT_TRUE(batch.ParseFromString(Bytes(page, page.events()[first].begin, page.events()[last].end)));
  return batch;
}

TEST(EncodedPageTest, EveryEventIsADeliveryWithCursorAndTime) {
  FakeClock clock(absl::FromUnixMillis(1'780'000'000'123));
  FakeEventLog log(&clock);
  AppendInbound(log, 1, 3);
  const EventPage page = ReadAll(log);
  const auto encoded = EncodedPage::EncodeAll(7, 0, page);
  const v1::EventBatch batch = Batch(*encoded, 0, 2);
  ASSERT_EQ(batch.deliveries_size(), 3);
  for (int i = 0; i < 3; ++i) {
    v1::Event expected;
    ASSERT_TRUE(expected.ParseFromString(std::string(page.events[i].event)));
    expected.set_cursor(EncodeCursor({7, page.events[i].sequence, Fingerprint(page.events[i])}));
    *expected.mutable_ingested_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(1'780'000'000'123);
    EXPECT_EQ(batch.deliveries(i).event().SerializeAsString(), expected.SerializeAsString());
  }
}

TEST(EncodedPageTest, WholeSecondsAndTheEpochItselfAreEncodedToo) {
  for (const int64_t millis : {int64_t{0}, int64_t{1}, int64_t{5000}}) {
    FakeClock clock(absl::FromUnixMillis(millis));
    EventPage page;
    LoggedEvent event;
    event.sequence = 1;
    event.ingested = clock.Now();
    page.events.push_back(event);
    const v1::EventBatch batch = Batch(*EncodedPage::EncodeAll(7, 0, page), 0, 0);
    EXPECT_EQ(google::protobuf::util::TimeUtil::TimestampToMilliseconds(batch.deliveries(0).event().ingested_time()),
              millis);
  }
}

TEST(EncodedPageTest, RawBodiesAreThereWhenTheyWereRead) {
  FakeEventLog log;
  AppendInbound(log, 1, 1);
  EXPECT_EQ(Batch(*EncodedPage::EncodeAll(7, 0, ReadAll(log, true)), 0, 0).deliveries(0).event().raw_body(),
            "{\"number\":1}");
  EXPECT_EQ(Batch(*EncodedPage::EncodeAll(7, 0, ReadAll(log)), 0, 0).deliveries(0).event().raw_body(), "");
}

TEST(EncodedPageTest, FieldsThatThisVersionDoesNotKnowStay) {
  FakeEventLog log;
  NewEvent event = InboundEvent(1);
  const std::string unknown("\xfa\x3e\x03new", 6);  // field 1007, length-delimited
  event.event += unknown;
  AppendNow(log, event);
  const auto encoded = EncodedPage::EncodeAll(7, 0, ReadAll(log));
  EXPECT_NE(Bytes(*encoded, 0, encoded->bytes().size()).find(unknown), std::string::npos);
}

// What a frame with another Delivery around the event needs (ack tokens).
TEST(EncodedPageTest, TheEventFieldAloneIsThereForAnotherDelivery) {
  FakeEventLog log;
  AppendInbound(log, 1, 2);
  const auto encoded = EncodedPage::EncodeAll(7, 0, ReadAll(log));
  const EncodedEvent& second = encoded->events()[1];
  v1::Delivery delivery;
  ASSERT_TRUE(
      delivery.ParseFromString(Bytes(*encoded, second.event_begin, second.end) + std::string("\x12\x02ok\x18\x03", 6)));
  EXPECT_EQ(delivery.event().delivery_id(), "d2");
  EXPECT_EQ(delivery.ack_token(), "ok");
  EXPECT_EQ(delivery.attempt(), 3u);
}

TEST(EncodedPageTest, SelectedEventsOnlyButThroughCoversTheRest) {
  FakeEventLog log;
  for (int number = 1; number <= 6; ++number) AppendNow(log, InboundEvent(number, number % 2));
  v1::EventFilter filter;
  filter.add_session_ids(SampleSession(1));
  EventSelection selection;
  selection.filter = EventFilter(filter);
  const EventPage page = ReadAll(log);
  const auto encoded = EncodedPage::EncodeSelected(7, 0, page, selection);
  ASSERT_EQ(encoded->events().size(), 3u);
  EXPECT_EQ(Batch(*encoded, 0, 2).deliveries(2).event().delivery_id(), "d5");
  EXPECT_EQ(encoded->through().sequence, 6u);
  EXPECT_EQ(encoded->through().fingerprint, Fingerprint(page.events.back()));
}

TEST(EncodedPageTest, NothingSelectedIsAPageOfNoBytesThatCoversAll) {
  FakeEventLog log;
  AppendInbound(log, 1, 3);
  v1::EventFilter filter;
  filter.add_peers("nobody");
  EventSelection selection;
  selection.filter = EventFilter(filter);
  const auto encoded = EncodedPage::EncodeSelected(7, 0, ReadAll(log), selection);
  EXPECT_TRUE(encoded->events().empty());
  EXPECT_EQ(encoded->bytes().size(), 0u);
  EXPECT_EQ(encoded->through().sequence, 3u);
}

TEST(EncodedPageTest, AttributesOutliveThePageThatWasRead) {
  std::shared_ptr<const EncodedPage> encoded;
  {
    FakeEventLog log;
    NewEvent other = StatusEvent(2, 5);
    other.account = "second";
    other.test = true;
    AppendInbound(log, 1, 1);
    AppendNow(log, other);
    AppendInbound(log, 3, 3);
    encoded = EncodedPage::EncodeAll(7, 0, ReadAll(log));
  }
  EXPECT_EQ(encoded->attributes(0).account, "default");
  EXPECT_EQ(encoded->attributes(2).account, "default");
  const EventAttributes& attributes = encoded->attributes(1);
  EXPECT_EQ(attributes.account, "second");
  EXPECT_EQ(attributes.session_id, SampleSession(5));
  EXPECT_EQ(attributes.peer, "+15550001002");
  EXPECT_EQ(attributes.message_id, "m2");
  EXPECT_EQ(attributes.type, v1::EVENT_TYPE_MESSAGE_STATUS);
  EXPECT_EQ(attributes.status, v1::MESSAGE_STATUS_DELIVERED);
  EXPECT_TRUE(attributes.test);
}

TEST(EncodedPageTest, MergedPagesAreThePageOfAllTheirEvents) {
  FakeEventLog log;
  AppendInbound(log, 1, 7);
  std::vector<std::shared_ptr<const EncodedPage>> parts;
  for (const auto& [after, count] : {std::pair<uint64_t, size_t>{0, 3}, {3, 1}, {4, 3}}) {
    ReadLimits limits;
    limits.max_events = count;
    parts.push_back(EncodedPage::EncodeAll(7, after, *log.Read(after, limits)));
  }
  const auto merged = EncodedPage::Merge(parts);
  parts.clear();
  const auto whole = EncodedPage::EncodeAll(7, 0, ReadAll(log));
  EXPECT_EQ(Bytes(*merged, 0, merged->bytes().size()), Bytes(*whole, 0, whole->bytes().size()));
  EXPECT_EQ(merged->after(), 0u);
  EXPECT_EQ(merged->through().sequence, 7u);
  EXPECT_EQ(merged->through().fingerprint, whole->through().fingerprint);
  ASSERT_EQ(merged->events().size(), 7u);
  for (size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(merged->events()[i].sequence, whole->events()[i].sequence);
    EXPECT_EQ(merged->events()[i].begin, whole->events()[i].begin);
    EXPECT_EQ(merged->events()[i].event_begin, whole->events()[i].event_begin);
    EXPECT_EQ(merged->events()[i].end, whole->events()[i].end);
    EXPECT_EQ(merged->attributes(i).peer, whole->attributes(i).peer);
  }
}

TEST(EncodedPageTest, FirstAfterFindsThePlaceInSequencesWithGaps) {
  FakeEventLog log;
  AppendInbound(log, 1, 2);
  log.SkipSequences(5);
  AppendInbound(log, 3, 3);  // sequence 8
  const auto encoded = EncodedPage::EncodeAll(7, 0, ReadAll(log));
  EXPECT_EQ(encoded->FirstAfter(0), 0u);
  EXPECT_EQ(encoded->FirstAfter(1), 1u);
  EXPECT_EQ(encoded->FirstAfter(5), 2u);
  EXPECT_EQ(encoded->FirstAfter(8), 3u);
}

}  // namespace
}  // namespace aulm::gateway
