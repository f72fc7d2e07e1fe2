#include "service/events/event_reader.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using ::testing::IsEmpty;

ReadSpec FromEarliest() {
  ReadSpec spec;
  spec.start = Earliest{};
  return spec;
}

ReadSpec OnlyPeer(const std::string& peer) {
  v1::EventFilter filter;
  filter.add_peers(peer);
  ReadSpec spec = FromEarliest();
  spec.selection.filter = EventFilter(filter);
  return spec;
}

v1::ReadEventsResponse Read(EventLog& log, const ReadSpec& spec) {
  absl::StatusOr<v1::ReadEventsResponse> page = ReadEventPage(log, spec);
  EXPECT_TRUE(page.ok()) << page.status();
  return page.ok() ? *std::move(page) : v1::ReadEventsResponse();
}

std::vector<std::string> IdsOf(const v1::ReadEventsResponse& page) {
  std::vector<std::string> ids;
  for (const v1::Event& event : page.events()) ids.push_back(event.delivery_id());
  return ids;
}

// Every page from the start to the end of the log; how many there were comes back in `pages`.
std::vector<std::string> ReadOn(EventLog& log, ReadSpec spec, int* pages = nullptr) {
  std::vector<std::string> ids;
  while (true) {
    const v1::ReadEventsResponse page = Read(log, spec);
    for (const std::string& id : IdsOf(page)) ids.push_back(id);
    if (pages != nullptr) ++*pages;
    if (page.end_of_log() || page.next_cursor().empty()) return ids;
    spec.start = *DecodeCursor(page.next_cursor());
  }
}

TEST(EventReaderTest, APageHoldsThePageSizeAndSaysWhereTheNextStarts) {
  FakeEventLog log;
  AppendInbound(log, 1, 25);
  ReadSpec spec = FromEarliest();
  spec.page_size = 10;
  const v1::ReadEventsResponse page = Read(log, spec);
  EXPECT_THAT(IdsOf(page), ElementsAreArray(DeliveryIds(1, 10)));
  EXPECT_FALSE(page.end_of_log());
  EXPECT_THAT(ReadOn(log, spec), ElementsAreArray(DeliveryIds(1, 25)));
}

TEST(EventReaderTest, APageThatReachesTheNewestEventIsTheEnd) {
  FakeEventLog log;
  AppendInbound(log, 1, 10);
  ReadSpec spec = FromEarliest();
  spec.page_size = 10;
  const v1::ReadEventsResponse page = Read(log, spec);
  EXPECT_TRUE(page.end_of_log());
  spec.start = *DecodeCursor(page.next_cursor());
  EXPECT_THAT(IdsOf(Read(log, spec)), IsEmpty());
  AppendInbound(log, 11, 11);
  EXPECT_THAT(IdsOf(Read(log, spec)), ElementsAre("d11"));
}

TEST(EventReaderTest, AnEmptyLogIsAnEmptyPageWithACursor) {
  FakeEventLog log;
  const v1::ReadEventsResponse page = Read(log, {});
  EXPECT_TRUE(page.end_of_log());
  EXPECT_TRUE(DecodeCursor(page.next_cursor()).ok());
}

TEST(EventReaderTest, LatestIsTheDefault) {
  FakeEventLog log;
  AppendInbound(log, 1, 10);
  const v1::ReadEventsResponse page = Read(log, {});
  EXPECT_EQ(page.events_size(), 0);
  ReadSpec spec;
  spec.start = *DecodeCursor(page.next_cursor());
  AppendInbound(log, 11, 11);
  EXPECT_THAT(IdsOf(Read(log, spec)), ElementsAre("d11"));
}

TEST(EventReaderTest, EventsAreTheSameAsOnAStream) {
  FakeClock clock;
  FakeEventLog log(&clock);
  AppendInbound(log, 1, 1);
  const v1::Event event = Read(log, FromEarliest()).events(0);
  const absl::StatusOr<EventPage> page = log.Read(0, {});
  EXPECT_EQ(event.cursor(), EncodeCursor({log.Info().epoch, 1, Fingerprint(page->events[0])}));
  EXPECT_EQ(event.ingested_time().seconds(), absl::ToUnixSeconds(clock.Now()));
  EXPECT_EQ(event.inbound_message().body(), "text 1");
  EXPECT_EQ(event.raw_body(), "");
}

TEST(EventReaderTest, RawBodiesComeWhenAskedFor) {
  FakeEventLog log;
  AppendInbound(log, 1, 1);
  ReadSpec spec = FromEarliest();
  spec.include_raw_body = true;
  EXPECT_EQ(Read(log, spec).events(0).raw_body(), "{\"number\":1}");
}

TEST(EventReaderTest, TheFilterHoldsAndNothingIsLostBetweenPages) {
  FakeEventLog log;
  AppendInbound(log, 1, 3000);
  ReadSpec spec = OnlyPeer("+15550001007");
  spec.page_size = 7;
  std::vector<std::string> expected;
  for (int number = 7; number <= 3000; number += 100) expected.push_back(absl::StrCat("d", number));
  EXPECT_THAT(ReadOn(log, spec), ElementsAreArray(expected));
}

TEST(EventReaderTest, APageLooksAtABoundedNumberOfEvents) {
  FakeEventLog log;
  AppendInbound(log, 1, 20'000);
  const ReadSpec spec = OnlyPeer("nobody");
  const v1::ReadEventsResponse page = Read(log, spec);
  EXPECT_EQ(page.events_size(), 0);
  EXPECT_FALSE(page.end_of_log());
  int pages = 0;
  EXPECT_THAT(ReadOn(log, spec, &pages), IsEmpty());
  EXPECT_EQ(pages, 2);
}

TEST(EventReaderTest, APageEndsAtThreeMebibytes) {
  FakeEventLog log;
  for (int number = 1; number <= 5; ++number) {
    NewEvent event = InboundEvent(number);
    event.raw_body = std::string(1 << 20, 'x');
    AppendNow(log, event);
  }
  ReadSpec spec = FromEarliest();
  spec.include_raw_body = true;
  int pages = 0;
  EXPECT_THAT(ReadOn(log, spec, &pages), ElementsAreArray(DeliveryIds(1, 5)));
  EXPECT_EQ(pages, 3);
  EXPECT_LT(Read(log, spec).ByteSizeLong(), 3u << 20);
}

TEST(EventReaderTest, AnExpiredCursorFails) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  ReadSpec spec;
  spec.start = *DecodeCursor(Read(log, FromEarliest()).events(0).cursor());
  log.Trim(4);
  EXPECT_TRUE(HasReason(ReadEventPage(log, spec).status(), GatewayReason::kCursorExpired));
}

TEST(EventReaderTest, AStoreThatFailsIsUnavailable) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  log.FailReads(absl::UnavailableError("away"));
  EXPECT_TRUE(HasReason(ReadEventPage(log, FromEarliest()).status(), GatewayReason::kStoreUnavailable));
}

}  // namespace
}  // namespace aulm::gateway
