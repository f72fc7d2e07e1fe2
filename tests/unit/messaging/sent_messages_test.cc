#include "service/messaging/sent_messages.h"

#include <memory>
#include <optional>
#include <string>

#include "aulm/gateway/v1/event.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "service/messaging/message_record.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_peers.h"
#include "tests/support/fake_state_store.h"
#include "tests/support/store_calls.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::Pair;
using testing::UnorderedElementsAre;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";
constexpr char kTo[] = "+966512345678";
constexpr char kTrace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

Send LabelledSend() {
  Send send;
  send.session_id = kSession;
  send.to = kTo;
  send.request_id = "order-1";
  send.labels = {{"order", "4711"}};
  send.traceparent = kTrace;
  return send;
}

SendResult ResultOf(const std::string& message_id) {
  SendResult result;
  result.message_id = message_id;
  result.session_id = kSession;
  result.to = kTo;
  result.status = "sent";
  return result;
}

class SentMessagesTest : public testing::Test {
 protected:
  using Got = std::shared_ptr<std::optional<SentMessages::Match>>;

  SentMessagesTest() { Make({}); }

  void Make(SentMessages::Options options) {
    messages_ = SentMessages::Create(std::move(options), store_, clock_, registry_.emplace());
  }

  Got Find(const std::string& message_id, const std::string& to = kTo) {
    auto got = std::make_shared<std::optional<SentMessages::Match>>();
    messages_->Find("default", kSession, to, message_id, [got](SentMessages::Match match) { *got = std::move(match); });
    return got;
  }

  // As the ledger does it.
  void StoreRecord(const std::string& message_id) {
    const auto record = ToMessageRecord(LabelledSend(), ResultOf(message_id), clock_.Now());
    ASSERT_TRUE(WriteNow(store_, {kMessageBucket, MessageKey("default", kSession, message_id),
                                  record.SerializeAsString(), std::nullopt})
                    .ok());
  }

  static void ExpectLabelled(const Got& got) {
    ASSERT_TRUE(got->has_value());
    EXPECT_TRUE((*got)->known);
    v1::Event marks;
    ASSERT_TRUE(marks.ParseFromString((*got)->marks));
    EXPECT_THAT(marks.labels(), UnorderedElementsAre(Pair("order", "4711")));
    EXPECT_EQ(marks.traceparent(), kTrace);
  }

  static void ExpectUnlabelled(const Got& got, bool known) {
    ASSERT_TRUE(got->has_value());
    EXPECT_EQ((*got)->known, known);
    EXPECT_EQ((*got)->marks, "");
  }

  void ExpectCounted(const std::string& match, int count) {
    EXPECT_THAT(prometheus::TextSerializer().Serialize(registry_->Collect()),
                HasSubstr("aulm_statuses_total{match=\"" + match + "\"} " + std::to_string(count)));
  }

  FakeClock clock_;
  FakeStateStore store_{clock_};
  std::optional<prometheus::Registry> registry_;
  std::shared_ptr<SentMessages> messages_;
};

TEST_F(SentMessagesTest, RecentMessageIsFoundWithoutTheStore) {
  messages_->Add(LabelledSend(), "default", ResultOf("m-1"));
  store_.Hold();

  const Got got = Find("m-1");

  ExpectLabelled(got);
  ExpectCounted("memory", 1);
}

TEST_F(SentMessagesTest, SessionIsMatchedWhateverItsCase) {
  Send send = LabelledSend();
  send.session_id = "ABCDEF00-1111-4111-8111-111111111111";
  messages_->Add(send, "default", ResultOf("m-1"));
  auto got = std::make_shared<std::optional<SentMessages::Match>>();

  messages_->Find("default", "abcdef00-1111-4111-8111-111111111111", kTo, "m-1",
                  [got](SentMessages::Match match) { *got = std::move(match); });

  ExpectLabelled(got);
}

TEST_F(SentMessagesTest, OlderMessageIsFoundInTheStoreOnceAndThenRemembered) {
  StoreRecord("m-1");
  ExpectLabelled(Find("m-1"));
  ExpectCounted("store", 1);

  store_.Hold();
  ExpectLabelled(Find("m-1"));
}

TEST_F(SentMessagesTest, MessageOfAnotherAccountIsNotFound) {
  messages_->Add(LabelledSend(), "other", ResultOf("m-1"));
  ExpectUnlabelled(Find("m-1"), /*known=*/false);
}

TEST_F(SentMessagesTest, UnknownMessageGoesOnAtOnceWhenNoSendIsUnderWay) {
  ExpectUnlabelled(Find("m-1"), /*known=*/false);
  ExpectCounted("unknown", 1);
  EXPECT_EQ(clock_.pending_timers(), 0u);
}

TEST_F(SentMessagesTest, StatusBeforeTheSendsAnswerWaitsForIt) {
  SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  const Got got = Find("m-1");
  EXPECT_FALSE(got->has_value());

  messages_->Add(LabelledSend(), "default", ResultOf("m-1"));
  send.End();

  ExpectLabelled(got);
  ExpectCounted("awaited", 1);
  EXPECT_EQ(clock_.pending_timers(), 0u);
}

TEST_F(SentMessagesTest, SendToAnotherNumberIsNotWaitedFor) {
  const SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  ExpectUnlabelled(Find("m-1", "+966500000000"), /*known=*/false);
}

TEST_F(SentMessagesTest, StatusGoesOnUnlabelledAfterASecond) {
  const SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  const Got got = Find("m-1");
  clock_.Advance(absl::Milliseconds(999));
  EXPECT_FALSE(got->has_value());

  clock_.Advance(absl::Milliseconds(1));

  ExpectUnlabelled(got, /*known=*/true);
  ExpectCounted("timed_out", 1);
}

TEST_F(SentMessagesTest, StatusOfAnOlderMessageIsNotHeldUpByASend) {
  StoreRecord("m-0");
  const SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  ExpectLabelled(Find("m-0"));
}

TEST_F(SentMessagesTest, WaitsForTheLastOfSeveralSends) {
  SentMessages::Expectation first = messages_->Expect("default", kSession, kTo);
  SentMessages::Expectation second = messages_->Expect("default", kSession, kTo);
  const Got got = Find("m-2");
  messages_->Add(LabelledSend(), "default", ResultOf("m-1"));
  first.End();
  EXPECT_FALSE(got->has_value());

  messages_->Add(LabelledSend(), "default", ResultOf("m-2"));
  second.End();

  ExpectLabelled(got);
}

TEST_F(SentMessagesTest, SendThatEndsWithoutAMessageLetsTheStatusGo) {
  SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  const Got got = Find("m-1");

  send.End();

  ExpectUnlabelled(got, /*known=*/false);
}

TEST_F(SentMessagesTest, SendThatEndsWhileTheStoreIsAskedIsNotMissed) {
  SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  store_.Hold();
  const Got got = Find("m-1");
  messages_->Add(LabelledSend(), "default", ResultOf("m-1"));
  send.End();

  store_.Release();

  ExpectLabelled(got);
}

TEST_F(SentMessagesTest, StoreThatFailsCountsAsKnowingNothing) {
  store_.FailWith(absl::UnavailableError("down"));
  ExpectUnlabelled(Find("m-1"), /*known=*/false);
}

TEST_F(SentMessagesTest, CloseLetsEverybodyGo) {
  const SentMessages::Expectation send = messages_->Expect("default", kSession, kTo);
  const Got waiting = Find("m-1");

  messages_->Close();

  ExpectUnlabelled(waiting, /*known=*/true);
  ExpectUnlabelled(Find("m-2"), /*known=*/false);
  EXPECT_EQ(clock_.pending_timers(), 0u);
}

// Two replicas of one store.
class SentMessagesOfReplicasTest : public SentMessagesTest {
 protected:
  SentMessagesOfReplicasTest() {
    Make({.elsewhere = SendsElsewhere::Create(peers_, clock_)});
    other_ = SentMessages::Create({.elsewhere = SendsElsewhere::Create(other_peers_, clock_)}, store_, clock_,
                                  other_registry_);
    clock_.Advance(absl::Seconds(3));  // both know of the other's sends
  }

  std::shared_ptr<FakePeerNetwork> network_ = std::make_shared<FakePeerNetwork>();
  FakePeers peers_{network_, "one"};
  FakePeers other_peers_{network_, "other"};
  prometheus::Registry other_registry_;
  std::shared_ptr<SentMessages> other_;
};

TEST_F(SentMessagesOfReplicasTest, AMessageThatTheOtherSettlesALittleLaterIsFoundByASecondLook) {
  SentMessages::Expectation send = other_->Expect("default", kSession, kTo);
  const Got got = Find("m-1");
  EXPECT_FALSE(got->has_value());
  StoreRecord("m-1");
  send.End();

  clock_.Advance(absl::Milliseconds(300));

  ExpectLabelled(got);
  ExpectCounted("awaited", 1);
  ExpectLabelled(Find("m-1"));
  ExpectCounted("memory", 1);
}

TEST_F(SentMessagesOfReplicasTest, AMessageOfTheOtherIsLookedForAfterASendOfOursToTheSameNumber) {
  SentMessages::Expectation ours = messages_->Expect("default", kSession, kTo);
  SentMessages::Expectation others = other_->Expect("default", kSession, kTo);
  const Got got = Find("m-1");

  ours.End();
  EXPECT_FALSE(got->has_value());
  StoreRecord("m-1");
  others.End();
  clock_.Advance(absl::Milliseconds(300));

  ExpectLabelled(got);
}

TEST_F(SentMessagesOfReplicasTest, ASendOfTheOtherThatHasEndedIsLookedForUntilItIsSettled) {
  other_->Expect("default", kSession, kTo).End();
  const Got got = Find("m-1");
  StoreRecord("m-1");

  clock_.Advance(absl::Milliseconds(300));

  ExpectLabelled(got);
}

TEST_F(SentMessagesOfReplicasTest, AMessageOfNobodyGoesOnAfterTheSecondLook) {
  const SentMessages::Expectation send = other_->Expect("default", kSession, kTo);
  const Got got = Find("m-1");
  clock_.Advance(absl::Milliseconds(299));
  EXPECT_FALSE(got->has_value());

  clock_.Advance(absl::Milliseconds(1));

  ExpectUnlabelled(got, /*known=*/false);
  ExpectCounted("unknown", 1);
}

TEST_F(SentMessagesOfReplicasTest, AMessageOfASessionOnWhichNobodySendsGoesOnAtOnce) {
  const SentMessages::Expectation send =
      other_->Expect("default", "22222222-2222-4222-8222-222222222222", kTo);  // another session

  ExpectUnlabelled(Find("m-1"), /*known=*/false);
  ExpectCounted("unknown", 1);
}

TEST_F(SentMessagesOfReplicasTest, AStoreThatFailedIsAskedASecondTime) {
  StoreRecord("m-1");
  store_.FailWith(absl::UnavailableError("a new leader is elected"));
  const Got got = Find("m-1");
  EXPECT_FALSE(got->has_value());
  store_.FailWith(absl::OkStatus());

  clock_.Advance(absl::Milliseconds(300));

  ExpectLabelled(got);
}

TEST_F(SentMessagesOfReplicasTest, CloseLetsThoseGoWhoWaitForASecondLook) {
  const SentMessages::Expectation send = other_->Expect("default", kSession, kTo);
  const Got got = Find("m-1");

  messages_->Close();

  ExpectUnlabelled(got, /*known=*/true);
}

TEST_F(SentMessagesTest, MemoryIsBoundedAndTheOldestGiveWay) {
  Make({.max_messages = 2});
  for (const char* id : {"m-1", "m-2", "m-3"}) messages_->Add(LabelledSend(), "default", ResultOf(id));

  ExpectUnlabelled(Find("m-1"), /*known=*/false);  // nor is it in the store
  ExpectLabelled(Find("m-2"));
  ExpectLabelled(Find("m-3"));
}

TEST_F(SentMessagesTest, MalformedTraceparentIsLeftOut) {
  Send send = LabelledSend();
  send.traceparent = "not one";
  messages_->Add(send, "default", ResultOf("m-1"));

  const Got got = Find("m-1");

  v1::Event marks;
  ASSERT_TRUE(marks.ParseFromString((*got)->marks));
  EXPECT_EQ(marks.traceparent(), "");
}

TEST(MessageKeyTest, IsExactShortAndEmptyForWhatCanBeNoMessage) {
  const std::string longest(256, 'x');
  EXPECT_LE(MessageKey(std::string(63, 'a'), kSession, longest).size(), 450u);
  EXPECT_NE(MessageKey("a", kSession, longest + "1"), MessageKey("a", kSession, longest + "2"));
  EXPECT_LE(MessageKey("a", kSession, std::string(10'000, 'x')).size(), 450u);
  EXPECT_NE(MessageKey("a", kSession, "m/1"), MessageKey("a", kSession, "m_1"));
  EXPECT_EQ(MessageKey("a", kSession, ""), "");
  EXPECT_EQ(MessageKey("a", "no uuid", "m-1"), "");
}

}  // namespace
}  // namespace aulm::gateway
