#include "service/messaging/status_index.h"

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "aulm/gateway/v1/event.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/messaging/message_record.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_state_store.h"
#include "tests/support/store_calls.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";

class StatusIndexTest : public testing::Test {
 protected:
  // What a crash left behind: the event is in the log, and nothing in the index.
  void LogStatus(const std::string& message_id) {
    NewEvent event;
    event.account = "default";
    event.session_id = kSession;
    event.message_id = message_id;
    event.type = v1::EVENT_TYPE_MESSAGE_STATUS;
    ASSERT_TRUE(AppendNow(log_, std::move(event)).ok());
  }

  static std::string KeyOf(const std::string& message_id) { return MessageKey("default", kSession, message_id); }

  void StoreMessage(const std::string& message_id) {
    ASSERT_TRUE(WriteNow(store_, {kMessageBucket, KeyOf(message_id), "", std::nullopt}).ok());
  }

  // A new process with the same store and log.
  void Restart() {
    index_ = StatusIndex::Create(absl::Hours(24), store_, clock_);
    index_->CatchUp(log_);
  }

  std::vector<uint64_t> List(const std::string& message_id) {
    std::vector<uint64_t> sequences;
    index_->List(KeyOf(message_id),
                 [&](absl::StatusOr<std::vector<uint64_t>> listed) { sequences = *std::move(listed); });
    return sequences;
  }

  FakeClock clock_;
  FakeStateStore store_{clock_};
  FakeEventLog log_{&clock_};
  std::shared_ptr<StatusIndex> index_;
};

TEST_F(StatusIndexTest, StatusesThatACrashTookAreReadAgainFromTheLog) {
  Restart();
  StoreMessage("m-1");
  clock_.Advance(absl::Minutes(5));
  LogStatus("m-1");
  LogStatus("of nobody here");
  LogStatus("m-1");

  Restart();

  EXPECT_THAT(List("m-1"), ElementsAre(1, 3));
  EXPECT_THAT(List("of nobody here"), IsEmpty());
}

TEST_F(StatusIndexTest, OnlyTheLogsLastMinutesAreReadAgain) {
  Restart();
  StoreMessage("m-1");
  LogStatus("m-1");
  clock_.Advance(absl::Minutes(5));

  Restart();

  EXPECT_THAT(List("m-1"), IsEmpty()) << "it was left out on purpose, to see what is read";
}

TEST_F(StatusIndexTest, CatchUpThatFailedIsMadeAgainAtTheNextStart) {
  Restart();
  StoreMessage("m-1");
  LogStatus("m-1");
  log_.FailReads(absl::UnavailableError("down"));
  Restart();
  clock_.Advance(absl::Minutes(5));  // no checkpoint is written meanwhile
  log_.FailReads(absl::OkStatus());

  Restart();

  EXPECT_THAT(List("m-1"), ElementsAre(1));
}

TEST_F(StatusIndexTest, ListTellsOfAStoreThatFails) {
  Restart();
  store_.FailWith(absl::UnavailableError("down"));
  absl::Status status;

  index_->List(KeyOf("m-1"), [&](const absl::StatusOr<std::vector<uint64_t>>& listed) { status = listed.status(); });

  EXPECT_TRUE(absl::IsUnavailable(status));
}

}  // namespace
}  // namespace aulm::gateway
