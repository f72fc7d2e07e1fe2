#include "service/events/frame.h"

#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

constexpr Cursor kResume{7, 3, 5};

std::shared_ptr<const EncodedPage> PageOf(int first, int last) {
  FakeEventLog log;
  AppendInbound(log, first, last);
  ReadLimits limits;
  limits.max_events = 10'000;
  return EncodedPage::EncodeAll(7, 0, *log.Read(0, limits));
}

std::vector<std::string> IdsOf(const Frame& frame) {
  std::vector<std::string> ids;
  AddDeliveryIds(DecodeFrame(frame).event_batch(), ids);
  return ids;
}

TEST(FrameTest, ARunOfEventsIsTheirBatchWithTheResumeCursor) {
  const auto page = PageOf(1, 5);
  BatchFrame batch(256, 1 << 20);
  for (size_t i = 1; i < 4; ++i) EXPECT_TRUE(batch.Add(page, i));
  const Frame frame = batch.Finish(kResume);
  EXPECT_THAT(IdsOf(frame), ElementsAreArray(DeliveryIds(2, 4)));
  EXPECT_EQ(DecodeFrame(frame).event_batch().resume_cursor(), EncodeCursor(kResume));
  EXPECT_EQ(frame.events, 3u);
  EXPECT_EQ(frame.kind, FrameKind::kEventBatch);
}

TEST(FrameTest, ARunIsThePagesOwnBytes) {
  const auto page = PageOf(1, 100);
  BatchFrame batch(256, 1 << 20);
  for (size_t i = 0; i < 100; ++i) batch.Add(page, i);
  const Frame frame = batch.Finish(kResume);
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(frame.bytes.Dump(&slices).ok());
  ASSERT_EQ(slices.size(), 2u);  // the frame's head with its resume cursor, and the run
  EXPECT_EQ(slices[1].begin(), page->bytes().begin());
  EXPECT_EQ(slices[1].size(), page->bytes().size());
}

TEST(FrameTest, RunsOfSeveralPagesComeInOrder) {
  const auto first = PageOf(1, 3);
  const auto second = PageOf(4, 6);
  BatchFrame batch(256, 1 << 20);
  for (size_t i = 0; i < 3; ++i) batch.Add(first, i);
  for (size_t i = 0; i < 3; ++i) batch.Add(second, i);
  EXPECT_THAT(IdsOf(batch.Finish(kResume)), ElementsAreArray(DeliveryIds(1, 6)));
}

TEST(FrameTest, ScatteredEventsAreGatheredIntoOneSlice) {
  const auto page = PageOf(1, 40);
  BatchFrame batch(256, 1 << 20);
  std::vector<std::string> expected;
  for (size_t i = 0; i < 40; i += 2) {
    batch.Add(page, i);
    expected.push_back(absl::StrCat("d", i + 1));
  }
  const Frame frame = batch.Finish(kResume);
  EXPECT_THAT(IdsOf(frame), ElementsAreArray(expected));
  std::vector<grpc::Slice> slices;
  ASSERT_TRUE(frame.bytes.Dump(&slices).ok());
  EXPECT_EQ(slices.size(), 1u);
}

TEST(FrameTest, TheFrameOutlivesItsPage) {
  auto page = PageOf(1, 3);
  BatchFrame batch(256, 1 << 20);
  for (size_t i = 0; i < 3; ++i) batch.Add(page, i);
  const Frame frame = batch.Finish(kResume);
  page.reset();
  EXPECT_THAT(IdsOf(frame), ElementsAreArray(DeliveryIds(1, 3)));
}

TEST(FrameTest, IsFullAtTheMostEvents) {
  const auto page = PageOf(1, 3);
  BatchFrame batch(2, 1 << 20);
  EXPECT_TRUE(batch.Add(page, 0));
  EXPECT_TRUE(batch.Add(page, 1));
  EXPECT_FALSE(batch.Add(page, 2));
  EXPECT_THAT(IdsOf(batch.Finish(kResume)), ElementsAre("d1", "d2"));
}

TEST(FrameTest, IsFullAtTheMostBytesButHoldsOneEventAlways) {
  const auto page = PageOf(1, 3);
  const size_t size = page->events()[0].end;
  BatchFrame exact(256, 2 * size);
  EXPECT_TRUE(exact.Add(page, 0));
  EXPECT_TRUE(exact.Add(page, 1));
  EXPECT_FALSE(exact.Add(page, 2));
  BatchFrame tiny(256, 1);
  EXPECT_TRUE(tiny.Add(page, 0));
  EXPECT_FALSE(tiny.Add(page, 1));
}

TEST(FrameTest, ARunIsTakenAsFarAsThereIsRoom) {
  const auto page = PageOf(1, 9);  // events of one size
  const size_t size = page->events()[0].end;
  BatchFrame by_events(4, 1 << 20);
  EXPECT_EQ(by_events.AddRun(page, 0, 3), 3u);
  EXPECT_EQ(by_events.AddRun(page, 3, 9), 1u);
  EXPECT_EQ(by_events.AddRun(page, 4, 9), 0u);
  EXPECT_THAT(IdsOf(by_events.Finish(kResume)), ElementsAreArray(DeliveryIds(1, 4)));
  BatchFrame by_bytes(256, 3 * size + size / 2);
  EXPECT_EQ(by_bytes.AddRun(page, 2, 9), 3u);
  EXPECT_EQ(by_bytes.AddRun(page, 5, 9), 0u);
  EXPECT_THAT(IdsOf(by_bytes.Finish(kResume)), ElementsAreArray(DeliveryIds(3, 5)));
  BatchFrame tiny(256, 1);
  EXPECT_EQ(tiny.AddRun(page, 2, 9), 1u);
  EXPECT_EQ(tiny.AddRun(page, 3, 9), 0u);
}

TEST(FrameTest, OtherFramesDecodeToTheirMessage) {
  v1::SubscribeEventsResponse response;
  response.mutable_heartbeat()->set_lag_events(3);
  const Frame frame = EncodeFrame(FrameKind::kHeartbeat, response);
  EXPECT_EQ(DecodeFrame(frame).heartbeat().lag_events(), 3u);
}

}  // namespace
}  // namespace aulm::gateway
