// Replicas tell each other on which sessions they send, over a real nats-server: a status of another's message waits,
// one of nobody's message does not.
#include "service/messaging/sends_elsewhere.h"

#include <optional>

#include "absl/synchronization/notification.h"
#include "service/messaging/message_record.h"
#include "service/messaging/sent_messages.h"
#include "tests/integration/jetstream/store_fixture.h"
#include "tests/support/fake_clock.h"

namespace aulm::gateway {
namespace {

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";
constexpr char kTo[] = "+966512345678";

// Two replicas' sends, whose time a test moves.
class SendsOfReplicasTest : public NatsStoreTest {
 protected:
  struct Replica {
    Store store;
    prometheus::Registry registry;
    std::shared_ptr<SendsElsewhere> elsewhere;
    std::shared_ptr<SentMessages> messages;
  };

  void SetUp() override {
    StartServer();
    for (Replica* const replica : {&one_, &other_}) {
      absl::StatusOr<Store> store = Open(options_);
      ASSERT_TRUE(store.ok()) << store.status();
      replica->store = *std::move(store);
      replica->elsewhere = SendsElsewhere::Create(*replica->store.peers, time_);
      replica->messages =
          SentMessages::Create({.elsewhere = replica->elsewhere}, *replica->store.state, time_, replica->registry);
      // The server knows by now that it listens.
      ASSERT_TRUE(AppendNow(*replica->store.log, EventOf(std::string(replica->store.peers->Self()))).ok());
    }
    time_.Advance(absl::Seconds(3));
  }

  FakeClock time_;
  Replica one_, other_;
};

TEST_F(SendsOfReplicasTest, StatusOfAMessageThatTheOtherIsSendingWaitsAndFindsIt) {
  SentMessages::Expectation send = other_.messages->Expect("default", kSession, kTo);
  const std::string name = absl::StrCat("default\n", kSession);
  while (!one_.elsewhere->Possible(name)) {  // the news is on its way
  }
  std::optional<SentMessages::Match> match;
  absl::Notification found;
  one_.messages->Find("default", kSession, kTo, "m-1", [&](SentMessages::Match got) {
    match = std::move(got);
    found.Notify();
  });
  while (time_.pending_timers() < 2) {  // the other's telling again, and the second look
  }

  Send sent;
  sent.session_id = kSession;
  sent.to = kTo;
  sent.labels = {{"order", "4711"}};
  SendResult result;
  result.message_id = "m-1";
  result.session_id = kSession;
  ASSERT_TRUE(
      WriteNow(*other_.store.state, {kMessageBucket, MessageKey("default", kSession, "m-1"),
                                     ToMessageRecord(sent, result, time_.Now()).SerializeAsString(), std::nullopt})
          .ok());
  send.End();
  time_.Advance(absl::Milliseconds(300));
  found.WaitForNotification();

  EXPECT_TRUE(match->known);
  EXPECT_EQ(match->marks, EncodeMarks(sent));
}

TEST_F(SendsOfReplicasTest, StatusOnASessionOnWhichNobodySendsGoesOnAtOnce) {
  const SentMessages::Expectation send = other_.messages->Expect("default", kSession, kTo);
  while (!one_.elsewhere->Possible(absl::StrCat("default\n", kSession))) {
  }
  absl::Notification found;
  one_.messages->Find("default", "22222222-2222-4222-8222-222222222222", kTo, "m-2",
                      [&](const SentMessages::Match&) { found.Notify(); });

  found.WaitForNotification();  // the time stands still

  EXPECT_EQ(time_.pending_timers(), 1u) << "the other's telling again";
}

TEST_F(SendsOfReplicasTest, AfterABreakNobodyKnowsForAWhile) {
  const std::string name = absl::StrCat("default\n", kSession);
  EXPECT_FALSE(one_.elsewhere->Possible(name));

  nats_->Kill();
  while (!one_.elsewhere->Possible(name)) {
  }
  time_.Advance(absl::Seconds(60));
  EXPECT_TRUE(one_.elsewhere->Possible(name));
  ASSERT_TRUE(nats_->Restart().ok());
  // It is heard of on a thread of the connection's, after which the time counts.
  while (one_.elsewhere->Possible(name)) time_.Advance(absl::Milliseconds(1));

  other_.elsewhere->Begin(name);
  while (!one_.elsewhere->Possible(name)) time_.Advance(absl::Milliseconds(10));
}

}  // namespace
}  // namespace aulm::gateway
