#include "service/events/event_ring.h"

#include <memory>

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

  FakeEventLog log_;
};

TEST_F(EventRingTest, HoldsWhatWasAppended) {
  EventRing ring(1 << 20);
  ring.Append(Page(0));
  ring.Append(Page(10));
  EXPECT_EQ(ring.start(), 0u);
  EXPECT_EQ(ring.head().sequence, 20u);
  EXPECT_EQ(ring.events(), 20u);
  const EventRing::Pages all = ring.PagesAfter(0);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_EQ(all[1]->through().sequence, 20u);
}

TEST_F(EventRingTest, GivesThePageThatHoldsTheNextEvent) {
  EventRing ring(1 << 20);
  ring.Append(Page(0));
  ring.Append(Page(10));
  EXPECT_EQ(ring.PagesAfter(9).size(), 2u);
  ASSERT_EQ(ring.PagesAfter(10).size(), 1u);
  EXPECT_EQ(ring.PagesAfter(10)[0]->after(), 10u);
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
  EXPECT_TRUE(ring.PagesAfter(10).empty());
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
  EXPECT_EQ(ring.PagesAfter(50).size(), 1u);
}

}  // namespace
}  // namespace aulm::gateway
