#include "service/events/log_position.h"

#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

// The cursor of the event at `sequence`.
Cursor CursorOf(EventLog& log, uint64_t sequence) {
  ReadLimits one;
  one.max_events = 1;
  const absl::StatusOr<EventPage> page = log.Read(sequence - 1, one);
  EXPECT_TRUE(page.ok() && !page->events.empty() && page->events[0].sequence == sequence);
  return {log.Info().epoch, sequence, Fingerprint(page->events[0])};
}

Cursor EarliestCursorOf(const absl::Status& expired) {
  EXPECT_EQ(expired.code(), absl::StatusCode::kOutOfRange);
  EXPECT_TRUE(HasReason(expired, GatewayReason::kCursorExpired)) << expired;
  std::string bytes;
  EXPECT_TRUE(absl::WebSafeBase64Unescape(DetailsOf(expired)->metadata["earliest_cursor"], &bytes));
  const absl::StatusOr<Cursor> cursor = DecodeCursor(bytes);
  EXPECT_TRUE(cursor.ok()) << cursor.status();
  return cursor.value_or(Cursor{});
}

// A log whose figures are those of a while ago: an engine deletes first and tells after, and one that others share
// hears late of what they appended.
class LateFigures final : public EventLog {
 public:
  explicit LateFigures(FakeEventLog& log) : log_(log), info_(log.Info()) {}
  void Append(NewEvent event, AppendCallback done) override { log_.Append(std::move(event), std::move(done)); }
  absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits) override { return log_.Read(after, limits); }
  absl::StatusOr<uint64_t> FindTime(absl::Time time) override { return log_.FindTime(time); }
  absl::StatusOr<uint64_t> FindHead() override { return log_.FindHead(); }
  LogInfo Info() const override { return info_; }
  void Watch(std::function<void(uint64_t)> on_head) override { log_.Watch(std::move(on_head)); }
  void Unwatch() override { log_.Unwatch(); }

 private:
  FakeEventLog& log_;
  const LogInfo info_;
};

TEST(ResolveCursorTest, TheCursorOfAnEventStandsAtIt) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  const absl::StatusOr<Position> position = ResolveCursor(log, CursorOf(log, 3));
  ASSERT_TRUE(position.ok()) << position.status();
  EXPECT_EQ(position->sequence, 3u);
  EXPECT_EQ(position->fingerprint, CursorOf(log, 3).fingerprint);
}

TEST(ResolveCursorTest, AnotherEpochIsExpired) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  Cursor cursor = CursorOf(log, 3);
  ++cursor.epoch;
  EXPECT_EQ(EarliestCursorOf(ResolveCursor(log, cursor).status()).sequence, 0u);
}

TEST(ResolveCursorTest, AboveTheHeadIsExpired) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  EarliestCursorOf(ResolveCursor(log, {log.Info().epoch, 6, 1}).status());
}

TEST(ResolveCursorTest, OfAGatewayThatHasReadFurtherIsAskedForAgain) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  LateFigures late(log);
  AppendInbound(log, 6, 6);

  EXPECT_TRUE(HasReason(ResolveCursor(late, CursorOf(log, 6)).status(), GatewayReason::kStoreUnavailable));
  EarliestCursorOf(ResolveCursor(late, {log.Info().epoch, 7, 1}).status());
  log.FailReads(absl::UnavailableError("no answer"));
  EXPECT_TRUE(HasReason(ResolveCursor(late, {log.Info().epoch, 7, 1}).status(), GatewayReason::kStoreUnavailable));
}

TEST(ResolveCursorTest, BelowRetentionIsExpired) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  const Cursor cursor = CursorOf(log, 2);
  log.Trim(4);
  EXPECT_EQ(EarliestCursorOf(ResolveCursor(log, cursor).status()).sequence, 3u);
}

TEST(ResolveCursorTest, JustBeforeTheOldestEventMissesNothingAndIsValid) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  const Cursor cursor = CursorOf(log, 3);
  log.Trim(4);
  EXPECT_TRUE(ResolveCursor(log, cursor).ok());
}

TEST(ResolveCursorTest, EarliestCursorIsValidAndMissesNothing) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  log.Trim(4);
  const Cursor earliest = EarliestCursorOf(ResolveCursor(log, {log.Info().epoch, 1, 1}).status());
  const absl::StatusOr<Position> position = ResolveCursor(log, earliest);
  ASSERT_TRUE(position.ok()) << position.status();
  const absl::StatusOr<EventPage> page = ReadOnward(log, position->sequence, {});
  ASSERT_TRUE(page.ok());
  EXPECT_EQ(page->events.front().sequence, 4u);
}

TEST(ResolveCursorTest, AfterEverythingWasTrimmedTheHeadIsStillValid) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  const Cursor head = CursorOf(log, 5);
  log.Trim(6);
  EXPECT_TRUE(ResolveCursor(log, head).ok());
}

TEST(ResolveCursorTest, TheStartOfAnEmptyLogHasNoFingerprint) {
  FakeEventLog log;
  const absl::StatusOr<Position> position = ResolveStart(log, Latest{});
  ASSERT_TRUE(position.ok());
  EXPECT_EQ(position->sequence, 0u);
  EXPECT_EQ(position->fingerprint, 0u);
  AppendInbound(log, 1, 2);
  EXPECT_TRUE(ResolveCursor(log, {log.Info().epoch, 0, 0}).ok());
}

// A backup that was restored, or a tail that a power cut took: other events now stand at the old sequences.
TEST(ResolveCursorTest, AnotherEventAtTheSequenceIsExpired) {
  FakeEventLog before, after;
  AppendInbound(before, 1, 5);
  AppendInbound(after, 1, 2);
  AppendInbound(after, 103, 105);
  EXPECT_TRUE(ResolveCursor(after, CursorOf(before, 2)).ok());
  EarliestCursorOf(ResolveCursor(after, CursorOf(before, 3)).status());
  EarliestCursorOf(ResolveCursor(after, CursorOf(before, 5)).status());
}

TEST(ResolveCursorTest, APositionInAGapIsValidAndOneThatHadAnEventThereIsNot) {
  FakeEventLog log;
  AppendInbound(log, 1, 2);
  log.SkipSequences(10);
  AppendInbound(log, 3, 4);
  EXPECT_TRUE(ResolveCursor(log, {log.Info().epoch, 7, 0}).ok());
  EarliestCursorOf(ResolveCursor(log, {log.Info().epoch, 7, 5}).status());
}

TEST(ResolveCursorTest, AStoreThatFailsIsUnavailable) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  const Cursor cursor = CursorOf(log, 3);
  log.FailReads(absl::UnavailableError("disk on fire"));
  EXPECT_TRUE(HasReason(ResolveCursor(log, cursor).status(), GatewayReason::kStoreUnavailable));
}

TEST(ResolveStartTest, AStartTimeBeforeRetentionStandsBeforeTheOldest) {
  FakeClock clock;
  FakeEventLog log(&clock);
  AppendInbound(log, 1, 5);
  log.Trim(4);
  const absl::StatusOr<Position> position = ResolveStart(log, clock.Now() - absl::Hours(1));
  ASSERT_TRUE(position.ok());
  EXPECT_EQ(position->sequence, 3u);
}

TEST(ResolveStartTest, PositionsCarryTheFingerprintOfTheirEvent) {
  FakeClock clock;
  FakeEventLog log(&clock);
  AppendInbound(log, 1, 3);
  clock.Advance(absl::Seconds(1));
  AppendInbound(log, 4, 5);
  EXPECT_EQ(ResolveStart(log, clock.Now())->fingerprint, CursorOf(log, 3).fingerprint);
  EXPECT_EQ(ResolveStart(log, Latest{})->fingerprint, CursorOf(log, 5).fingerprint);
}

TEST(ReadOnwardTest, ReadsAcrossAGap) {
  FakeEventLog log;
  AppendInbound(log, 1, 2);
  log.SkipSequences(10);
  AppendInbound(log, 3, 3);
  const absl::StatusOr<EventPage> page = ReadOnward(log, 2, {});
  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->events.size(), 1u);
}

TEST(ReadOnwardTest, NeverPassesOverTrimmedEvents) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  log.Trim(4);
  EXPECT_TRUE(ReadOnward(log, 3, {}).ok());
  EXPECT_EQ(EarliestCursorOf(ReadOnward(log, 2, {}).status()).sequence, 3u);
}

TEST(ReadOnwardTest, NeverPassesOverALogThatWasTrimmedEmpty) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  log.Trim(6);
  EXPECT_TRUE(ReadOnward(log, 5, {}).ok());
  EXPECT_EQ(EarliestCursorOf(ReadOnward(log, 4, {}).status()).sequence, 5u);
}

TEST(ReadOnwardTest, SeesRetentionWhoseFiguresAreNotOutYet) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  LateFigures late(log);
  log.Trim(4);
  ASSERT_EQ(late.Info().earliest, 1u);
  EXPECT_EQ(EarliestCursorOf(ReadOnward(late, 1, {}).status()).sequence, 3u);
  log.Trim(6);
  EXPECT_EQ(EarliestCursorOf(ReadOnward(late, 1, {}).status()).sequence, 5u);
}

}  // namespace
}  // namespace aulm::gateway
