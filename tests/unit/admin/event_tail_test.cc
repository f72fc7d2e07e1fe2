#include "service/admin/event_tail.h"

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/events/stream_harness.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

// Takes the pieces of one answer.
class Pieces final : public ReplyTarget {
 public:
  void Deliver(uint64_t, ServedReply reply) override {
    absl::MutexLock lock(&mutex_);
    pieces_.push_back(std::move(reply.body));
  }
  std::optional<std::string> Take() {
    absl::MutexLock lock(&mutex_);
    if (pieces_.empty()) return std::nullopt;
    std::string first = std::move(pieces_.front());
    pieces_.erase(pieces_.begin());
    return first;
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> pieces_ ABSL_GUARDED_BY(mutex_);
};

class EventTailTest : public testing::Test {
 protected:
  std::shared_ptr<EventTail> Open(absl::string_view query) {
    return EventTail::Open(TailFilter::Parse(query).value(), harness_.hub, harness_.clock, open_);
  }

  // The next piece; the time goes on until it is there.
  std::string Ask(EventTail& tail) {
    tail.Next(Reply(pieces_, 1));
    const absl::Time end = absl::Now() + kPatience;
    while (absl::Now() < end) {
      if (std::optional<std::string> piece = pieces_->Take(); piece.has_value()) return *piece;
      harness_.clock.Advance(absl::Milliseconds(250));
    }
    return "nothing came";
  }

  std::atomic<size_t> open_ = 0;
  StreamHarness harness_;
  const std::shared_ptr<Pieces> pieces_ = std::make_shared<Pieces>();
};

TEST_F(EventTailTest, BeginsWithTheNewestOfItsFilterAndMasksPeers) {
  AppendInbound(harness_.log, 1, 20);
  harness_.log.Append(StatusEvent(21), [](const absl::StatusOr<Appended>&) {});
  harness_.Start();

  const std::string piece = Ask(*Open("type=2"));

  EXPECT_THAT(piece, testing::StartsWith("event: event\ndata: {"));
  EXPECT_THAT(piece, HasSubstr(R"("kind":"status")"));
  EXPECT_THAT(piece, Not(HasSubstr(R"("kind":"message")")));
  EXPECT_THAT(piece, Not(HasSubstr("+1555000")));
}

TEST_F(EventTailTest, FindsOneEventByItsDeliveryOrItsMessage) {
  AppendInbound(harness_.log, 1, 20);
  harness_.Start();
  for (const std::string query : {"id=d7", "id=m7"}) {
    const std::string piece = Ask(*Open(query));
    EXPECT_THAT(piece, HasSubstr(R"("delivery":"d7")"));
    EXPECT_EQ(absl::StrContains(piece, R"("delivery":"d17")"), false);
  }
}

TEST_F(EventTailTest, GoesOnWithWhatComes) {
  harness_.Start();
  const auto tail = Open("");
  AppendInbound(harness_.log, 1, 1);
  EXPECT_THAT(Ask(*tail), HasSubstr(R"("delivery":"d1")"));
  AppendInbound(harness_.log, 2, 2);
  harness_.WaitForRing();
  const std::string second = Ask(*tail);
  EXPECT_THAT(second, HasSubstr(R"("delivery":"d2")"));
  EXPECT_THAT(second, Not(HasSubstr(R"("delivery":"d1")")));
}

TEST_F(EventTailTest, SaysThatItIsAliveWhileNothingComes) {
  harness_.Start();
  const auto tail = Open("");
  EXPECT_EQ(Ask(*tail), ": alive\n\n");
  EXPECT_EQ(Ask(*tail), ": alive\n\n");
}

TEST_F(EventTailTest, ShowsTheNewestOfManyAndSaysHowManyItLeftOut) {
  AppendInbound(harness_.log, 1, 120);
  harness_.Start();
  const std::string piece = Ask(*Open(""));
  EXPECT_THAT(piece, testing::StartsWith("event: skipped\ndata: 70\n\n"));
  EXPECT_THAT(piece, HasSubstr(R"("delivery":"d120")"));
  EXPECT_THAT(piece, Not(HasSubstr(R"("delivery":"d70")")));
}

TEST_F(EventTailTest, TellsThatTheLogCannotBeRead) {
  AppendInbound(harness_.log, 1, 3);
  harness_.Start();
  harness_.log.FailReads(absl::UnavailableError("the disk is away"));
  EXPECT_THAT(Ask(*Open("")), HasSubstr(R"({"failure":"the disk is away"})"));
}

TEST_F(EventTailTest, OnlySoManyAreOpenAtATime) {
  harness_.Start();
  std::vector<std::shared_ptr<EventTail>> tails;
  for (size_t i = 0; i < EventTail::kMostTails; ++i) tails.push_back(Open(""));
  EXPECT_EQ(Open(""), nullptr);
  tails.pop_back();
  EXPECT_NE(Open(""), nullptr);
}

TEST_F(EventTailTest, RefusesFiltersThatCannotBe) {
  const std::string long_session = "session=" + std::string(65, 'x');
  for (const std::string& query : std::vector<std::string>{"type=99", "type=x", "status=-1", "test=maybe", "peer=12345",
                                                           "peer=1a", "what=1", "id=%", long_session}) {
    EXPECT_FALSE(TailFilter::Parse(query).ok()) << query;
  }
  EXPECT_TRUE(TailFilter::Parse("type=1&status=&session=a&test=only&peer=0123&id=x").ok());
}

}  // namespace
}  // namespace aulm::gateway
