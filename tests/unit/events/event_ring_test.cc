#include "service/events/event_ring.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

// Pages of ten events, one after the other.
class EventRingTest : public testing::Test {
 protected:
  EventRingTest() { AppendInbound(log_, 1, 100); }

  std::shared_ptr<const EncodedPage> Page(uint64_t after) {
    ReadLimits limits;
    limits.max_events = 10;
    return EncodedPage::EncodeAll(7, after, *log_.Read(after, limits));
  }

  // Every page with events after `after`.
  static std::vector<std::shared_ptr<const EncodedPage>> PagesAfter(const EventRing& ring, uint64_t after) {
    std::vector<std::shared_ptr<const EncodedPage>> pages;
    while (auto page = ring.PageAfter(after)) {
      after = page->through().sequence;
      pages.push_back(std::move(page));
    }
    return pages;
  }

  FakeEventLog log_;
};

TEST_F(EventRingTest, HoldsWhatWasAppended) {
  EventRing ring(1 << 20);
  ring.Append(Page(0));
  ring.Append(Page(10));
  EXPECT_EQ(ring.start(), 0u);
  EXPECT_EQ(ring.head().sequence, 20u);
  EXPECT_EQ(ring.events(), 20u);
  const auto all = PagesAfter(ring, 0);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]->through().sequence, 20u);
}

TEST_F(EventRingTest, GivesThePageThatHoldsTheNextEvent) {
  EventRing ring(1 << 20);
  ring.Append(Page(0));
  ring.Append(Page(10));
  EXPECT_EQ(PagesAfter(ring, 9).size(), 2u);
  ASSERT_EQ(PagesAfter(ring, 10).size(), 1u);
  EXPECT_EQ(PagesAfter(ring, 10)[0]->after(), 10u);
}

TEST_F(EventRingTest, SmallPagesAreMergedLikeTheCarriesOfACounter) {
  EventRing ring(1 << 20);
  size_t most_pages = 0;
  for (uint64_t after = 0; after < 100; ++after) {
    ReadLimits one;
    one.max_events = 1;
    auto pages = ring.ToMergeWith(*EncodedPage::EncodeAll(7, after, *log_.Read(after, one)));
    const size_t replaced = pages.size();
    pages.push_back(EncodedPage::EncodeAll(7, after, *log_.Read(after, one)));
    ring.Append(EncodedPage::Merge(pages), replaced);
    most_pages = std::max(most_pages, PagesAfter(ring, 0).size());
  }
  EXPECT_LE(most_pages, 8u);
  EXPECT_EQ(ring.events(), 100u);
  EXPECT_EQ(ring.head().sequence, 100u);
  uint64_t expected = 1;
  for (const auto& page : PagesAfter(ring, 0)) {
    for (const EncodedEvent& event : page->events()) EXPECT_EQ(event.sequence, expected++);
  }
}

TEST_F(EventRingTest, FullPagesAreNotCopiedAgain) {
  EventRing ring(64 << 20);
  FakeEventLog large;
  NewEvent event = InboundEvent(1);
  for (int number = 1; number <= 10; ++number) {
    event.delivery_id = absl::StrCat("d", number);
    event.event = std::string(100 << 10, 'x');
    AppendNow(large, event);
  }
  for (uint64_t after = 0; after < 10; ++after) {
    ReadLimits one;
    one.max_events = 1;
    const auto page = EncodedPage::EncodeAll(7, after, *large.Read(after, one));
    EXPECT_TRUE(ring.ToMergeWith(*page).empty());
    ring.Append(page);
  }
}

TEST_F(EventRingTest, DropsTheOldestPagesBeyondItsBytes) {
  const size_t page_bytes = Page(0)->memory_bytes();
  EventRing ring(page_bytes * 5 / 2);
  for (uint64_t after = 0; after < 50; after += 10) ring.Append(Page(after));
  EXPECT_EQ(ring.start(), 30u);
  EXPECT_EQ(ring.events(), 20u);
  EXPECT_LE(ring.bytes(), page_bytes * 5 / 2);
}

TEST_F(EventRingTest, KeepsTheNewestPageHoweverLarge) {
  EventRing ring(1);
  ring.Append(Page(0));
  EXPECT_EQ(ring.events(), 10u);
  ring.Append(Page(10));
  EXPECT_EQ(ring.events(), 10u);
  EXPECT_EQ(ring.start(), 10u);
}

TEST_F(EventRingTest, FindsEventsBySequence) {
  EventRing ring(1 << 20);
  ring.Append(Page(0));
  ring.Append(Page(10));
  ASSERT_NE(ring.Find(15), nullptr);
  EXPECT_EQ(ring.Find(15)->sequence, 15u);
  EXPECT_EQ(ring.Find(0), nullptr);
  EXPECT_EQ(ring.Find(21), nullptr);
}

TEST_F(EventRingTest, SkipMovesTheHeadOverWhatIsNotThere) {
  EventRing ring(1 << 20);
  ring.Append(Page(0));
  ring.Skip(15);
  EXPECT_EQ(ring.head().sequence, 15u);
  EXPECT_EQ(ring.head().fingerprint, 0u);
  EXPECT_TRUE(PagesAfter(ring, 10).empty());
  EXPECT_EQ(ring.Find(15), nullptr);
}

TEST_F(EventRingTest, RestartForgetsEverything) {
  EventRing ring(1 << 20);
  ring.Append(Page(0));
  ring.Restart({50, 0});
  EXPECT_EQ(ring.start(), 50u);
  EXPECT_EQ(ring.events(), 0u);
  EXPECT_EQ(ring.bytes(), 0u);
  ring.Append(Page(50));
  EXPECT_EQ(PagesAfter(ring, 50).size(), 1u);
}

}  // namespace
}  // namespace aulm::gateway
