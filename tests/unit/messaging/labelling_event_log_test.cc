#include "service/messaging/labelling_event_log.h"

#include <optional>
#include <string>
#include <vector>

#include "aulm/gateway/v1/event.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/messaging/message_record.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_state_store.h"
#include "tests/support/store_calls.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";
constexpr char kTo[] = "+966512345678";
constexpr char kTrace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
constexpr char kOtherTrace[] = "00-11111111111111111111111111111111-2222222222222222-01";

NewEvent StatusEvent(const std::string& message_id, const std::string& delivery_id) {
  v1::Event event;
  event.set_delivery_id(delivery_id);
  event.set_traceparent(kOtherTrace);  // the delivery's
  event.mutable_message_status()->set_message_id(message_id);
  NewEvent made;
  made.account = "default";
  made.session_id = kSession;
  made.peer = kTo;
  made.message_id = message_id;
  made.type = v1::EVENT_TYPE_MESSAGE_STATUS;
  made.delivery_id = delivery_id;
  made.event = event.SerializeAsString();
  return made;
}

class LabellingEventLogTest : public testing::Test {
 protected:
  void AddMessage(const std::string& message_id) {
    Send send;
    send.session_id = kSession;
    send.to = kTo;
    send.labels = {{"order", "4711"}};
    send.traceparent = kTrace;
    SendResult result;
    result.message_id = message_id;
    messages_->Add(send, "default", result);
  }

  v1::Event Stored(size_t index) {
    v1::Event event;
    EXPECT_TRUE(event.ParseFromString(log_.stored().at(index).event));
    return event;
  }

  std::vector<uint64_t> StatusesOf(const std::string& message_id) {
    std::vector<uint64_t> sequences;
    statuses_->List(MessageKey("default", kSession, message_id),
                    [&](absl::StatusOr<std::vector<uint64_t>> listed) { sequences = *std::move(listed); });
    return sequences;
  }

  FakeClock clock_;
  FakeStateStore store_{clock_};
  FakeEventLog log_{&clock_};
  prometheus::Registry registry_;
  const std::shared_ptr<SentMessages> messages_ = SentMessages::Create({}, store_, clock_, registry_);
  const std::shared_ptr<StatusIndex> statuses_ = StatusIndex::Create(absl::Hours(1), store_, clock_);
  LabellingEventLog labelling_{log_, *messages_, *statuses_};
};

TEST_F(LabellingEventLogTest, StatusGetsTheLabelsAndTheTraceparentOfItsSend) {
  AddMessage("m-1");

  const auto appended = AppendNow(labelling_, StatusEvent("m-1", "d-1"));

  ASSERT_TRUE(appended.ok());
  const v1::Event event = Stored(0);
  EXPECT_THAT(event.labels(), UnorderedElementsAre(Pair("order", "4711")));
  EXPECT_EQ(event.traceparent(), kTrace);
  EXPECT_EQ(event.delivery_id(), "d-1");
  EXPECT_EQ(event.message_status().message_id(), "m-1");
}

TEST_F(LabellingEventLogTest, StatusOfAStrangersMessageStaysAsItIs) {
  ASSERT_TRUE(AppendNow(labelling_, StatusEvent("m-1", "d-1")).ok());

  EXPECT_THAT(Stored(0).labels(), IsEmpty());
  EXPECT_EQ(Stored(0).traceparent(), kOtherTrace);
  EXPECT_THAT(StatusesOf("m-1"), IsEmpty());
}

TEST_F(LabellingEventLogTest, StatusesOfAMessageAreFoundInTheirOrder) {
  AddMessage("m-1");
  AddMessage("m-10");
  for (const char* delivery : {"d-1", "d-2"}) ASSERT_TRUE(AppendNow(labelling_, StatusEvent("m-1", delivery)).ok());
  ASSERT_TRUE(AppendNow(labelling_, StatusEvent("m-10", "d-3")).ok());

  EXPECT_THAT(StatusesOf("m-1"), ElementsAre(1, 2));
}

TEST_F(LabellingEventLogTest, DuplicateIsListedOnce) {
  AddMessage("m-1");
  ASSERT_TRUE(AppendNow(labelling_, StatusEvent("m-1", "d-1")).ok());
  ASSERT_TRUE(AppendNow(labelling_, StatusEvent("m-1", "d-1")).ok());

  EXPECT_THAT(StatusesOf("m-1"), ElementsAre(1));
}

TEST_F(LabellingEventLogTest, StatusThatWasNotStoredIsNotListed) {
  AddMessage("m-1");
  log_.FailAppends(absl::UnavailableError("down"));

  EXPECT_FALSE(AppendNow(labelling_, StatusEvent("m-1", "d-1")).ok());

  EXPECT_THAT(StatusesOf("m-1"), IsEmpty());
}

TEST_F(LabellingEventLogTest, StatusThatGaveUpWaitingIsStoredAndListed) {
  const SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  bool stored = false;
  labelling_.Append(StatusEvent("m-1", "d-1"), [&](const absl::StatusOr<Appended>& done) { stored = done.ok(); });
  EXPECT_FALSE(stored);

  clock_.Advance(absl::Seconds(1));

  EXPECT_TRUE(stored);
  EXPECT_THAT(StatusesOf("m-1"), ElementsAre(1));
}

TEST_F(LabellingEventLogTest, OnlyRealStatusesAreLookedUp) {
  store_.Hold();  // whoever asks it, waits
  NewEvent inbound = StatusEvent("m-1", "d-1");
  inbound.type = v1::EVENT_TYPE_INBOUND_MESSAGE;
  NewEvent test = StatusEvent("m-1", "d-2");
  test.test = true;

  ASSERT_TRUE(AppendNow(labelling_, inbound).ok());
  ASSERT_TRUE(AppendNow(labelling_, test).ok());

  EXPECT_EQ(log_.stored().size(), 2u);
}

}  // namespace
}  // namespace aulm::gateway
