// The course of an exchange over real sockets: deadlines, callers that leave, and the end of the service, before and
// after the request was written.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "service/base/status_details.h"
#include "tests/integration/aulm/aulm_test_client.h"
#include "tests/integration/aulm/scripted_server.h"

namespace aulm::gateway {
namespace {

using Code = absl::StatusCode;
using Connection = ScriptedServer::Connection;

// Takes connections and reads, but never says a word.
void StaySilent(Connection& connection) {
  while (connection.ReadByte()) {
  }
}

// A base URL whose connections never come about: TLS is asked for where nobody answers the handshake.
std::string Stalled(const ScriptedServer& silent) { return absl::StrCat("https://127.0.0.1:", silent.port()); }

// Reads a request, tells of it, and answers when it is let.
class HoldingServer {
 public:
  ~HoldingServer() { Let(); }

  std::string base_url() const { return server_.base_url(); }
  void WaitUntilWritten() { ASSERT_TRUE(written_.WaitForNotificationWithTimeout(absl::Seconds(20))); }
  void Let() {
    if (!let_.HasBeenNotified()) let_.Notify();
  }

 private:
  void Serve(Connection& connection) {
    if (!connection.ReadRequest()) return;
    if (!written_.HasBeenNotified()) written_.Notify();
    let_.WaitForNotification();
    connection.Write(Accepted("late"));
    connection.ReadByte();
  }

  absl::Notification written_;
  absl::Notification let_;
  ScriptedServer server_{[this](Connection& connection) { Serve(connection); }};  // ends before what it waits for
};

TEST(CourseTest, ADeadlineBeforeTheRequestIsWrittenIsNotSent) {
  ScriptedServer server(StaySilent);
  AulmTestClient client(Stalled(server));
  const auto [observer, id] = client.StartText("hi", absl::Milliseconds(50));
  const absl::Status status = observer->Wait().status();
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(status), "CALL_DEADLINE");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_EQ(observer->WaitDetached(), std::nullopt);
}

TEST(CourseTest, ADeadlineThatHasPassedAlreadyIsNotSent) {
  ScriptedServer server(StaySilent);
  AulmTestClient client(Stalled(server));
  EXPECT_EQ(OutcomeOf(client.SendText("hi", absl::Seconds(-1)).status()), Outcome::kNotSent);
}

// Although there is a connection, on which it would be written at once.
TEST(CourseTest, ARequestWhoseDeadlineHasPassedIsNotWritten) {
  ScriptedServer server([](Connection& connection) {
    while (connection.ReadRequest()) connection.Write(Accepted("one"));
  });
  AulmTestClient client(server.base_url());
  ASSERT_TRUE(client.SendText("in time").ok());
  const absl::Status status = client.SendText("too late", absl::Seconds(-1)).status();
  EXPECT_EQ(ReasonOf(status), "CALL_DEADLINE");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  ASSERT_TRUE(client.SendText("in time again").ok());
  EXPECT_EQ(server.requests().size(), 2);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CourseTest, ADeadlineAfterTheRequestIsWrittenDetachesAndTheAnswerStillComes) {
  HoldingServer server;
  AulmTestClient client(server.base_url());
  const auto [observer, id] = client.StartText("hi", absl::Milliseconds(100));
  const auto so_far = observer->WaitDetached();
  ASSERT_TRUE(so_far.has_value());
  EXPECT_EQ(so_far->code(), Code::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(*so_far), "CALL_DEADLINE");
  EXPECT_EQ(OutcomeOf(*so_far), Outcome::kUnknown);
  EXPECT_FALSE(observer->done());
  server.Let();
  EXPECT_EQ(observer->Wait()->message_id, "late");
  EXPECT_EQ(observer->times_done(), 1);
}

TEST(CourseTest, ADetachedSendEndsAtTheSettleLimit) {
  HoldingServer server;
  AulmTestClient client(server.base_url(), {}, "alm_sk_test_0123456789", absl::Milliseconds(100));
  const auto [observer, id] = client.StartText("hi", absl::Milliseconds(50));
  const absl::Status status = observer->Wait().status();
  EXPECT_TRUE(observer->WaitDetached().has_value());
  EXPECT_EQ(status.code(), Code::kUnknown);
  EXPECT_EQ(ReasonOf(status), "SEND_OUTCOME_UNKNOWN");
  EXPECT_EQ(OutcomeOf(status), Outcome::kUnknown);
}

TEST(CourseTest, CancelBeforeTheRequestIsWrittenIsNotSent) {
  ScriptedServer server(StaySilent);
  AulmTestClient client(Stalled(server));
  const auto [observer, id] = client.StartText();
  client.client().Cancel(id);
  const absl::Status status = observer->Wait().status();
  EXPECT_EQ(status.code(), Code::kCancelled);
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_EQ(observer->WaitDetached(), std::nullopt);
}

TEST(CourseTest, CancelAfterTheRequestIsWrittenDetachesAndTheAnswerStillComes) {
  HoldingServer server;
  AulmTestClient client(server.base_url());
  const auto [observer, id] = client.StartText();
  server.WaitUntilWritten();
  client.client().Cancel(id);
  const auto so_far = observer->WaitDetached();
  ASSERT_TRUE(so_far.has_value());
  EXPECT_EQ(so_far->code(), Code::kCancelled);
  EXPECT_EQ(OutcomeOf(*so_far), Outcome::kUnknown);
  client.client().Cancel(id);  // once more does nothing
  server.Let();
  EXPECT_EQ(observer->Wait()->message_id, "late");
}

TEST(CourseTest, CancelOfACallThatIsDoneDoesNothing) {
  ScriptedServer server([](Connection& connection) {
    while (connection.ReadRequest()) connection.Write(Accepted("m1"));
  });
  AulmTestClient client(server.base_url());
  const auto [observer, id] = client.StartText();
  ASSERT_TRUE(observer->Wait().ok());
  client.client().Cancel(id);
  client.client().Cancel(123456);
  EXPECT_TRUE(client.SendText().ok());
  EXPECT_EQ(observer->times_done(), 1);
}

TEST(CourseTest, AReadEndsAtItsDeadlineThoughItIsWritten) {
  ScriptedServer server(StaySilent);
  AulmTestClient client(server.base_url());
  const absl::Status status = client.GetSessionStatus(absl::Milliseconds(100)).status();
  EXPECT_EQ(status.code(), Code::kDeadlineExceeded);
  EXPECT_EQ(ReasonOf(status), "CALL_DEADLINE");
}

TEST(CourseTest, AReadEndsWhenItsCallerLeaves) {
  HoldingServer server;
  AulmTestClient client(server.base_url());
  absl::Notification done;
  absl::Status status;
  const AulmClient::CallId id =
      client.client().GetSessionStatus(kTestSession, {}, [&](absl::StatusOr<SessionStatus> result) {
        status = result.status();
        done.Notify();
      });
  server.WaitUntilWritten();
  client.client().Cancel(id);
  ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(20)));
  EXPECT_EQ(status.code(), Code::kCancelled);
}

TEST(CourseTest, DeadlinesFallInTheirOrder) {
  ScriptedServer server(StaySilent);
  AulmTestClient client(Stalled(server));
  const auto late = client.StartText("late", absl::Seconds(15)).first;
  const auto soon = client.StartText("soon", absl::Milliseconds(60)).first;
  const auto sooner = client.StartText("sooner", absl::Milliseconds(30)).first;
  EXPECT_EQ(ReasonOf(sooner->Wait().status()), "CALL_DEADLINE");
  EXPECT_EQ(ReasonOf(soon->Wait().status()), "CALL_DEADLINE");
  EXPECT_FALSE(late->done());
  client.transport().Stop();
  EXPECT_EQ(ReasonOf(late->Wait().status()), "DRAINING");
}

TEST(CourseTest, StopEndsWhatIsNotWritten) {
  ScriptedServer server(StaySilent);
  AulmTestClient client(Stalled(server));
  const auto observer = client.StartText().first;
  client.transport().Stop();
  ASSERT_TRUE(observer->done());
  const absl::Status status = observer->Wait().status();
  EXPECT_EQ(status.code(), Code::kUnavailable);
  EXPECT_EQ(ReasonOf(status), "DRAINING");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
}

TEST(CourseTest, StopWaitsForTheAnswerToWhatIsWritten) {
  HoldingServer server;
  AulmTestClient client(server.base_url());
  const auto observer = client.StartText().first;
  server.WaitUntilWritten();
  server.Let();
  client.transport().Stop();
  ASSERT_TRUE(observer->done());
  EXPECT_EQ(observer->Wait()->message_id, "late");
}

TEST(CourseTest, StopEndsWhatIsWrittenAfterItsGrace) {
  HoldingServer server;
  CurlTransportOptions options;
  options.stop_grace = absl::Milliseconds(100);
  AulmTestClient client(server.base_url(), options);
  const auto observer = client.StartText().first;
  server.WaitUntilWritten();
  client.transport().Stop();
  ASSERT_TRUE(observer->done());
  EXPECT_EQ(ReasonOf(observer->Wait().status()), "SEND_OUTCOME_UNKNOWN");
}

TEST(CourseTest, ACallAfterStopIsNotSent) {
  ScriptedServer server(StaySilent);
  AulmTestClient client(server.base_url());
  client.transport().Stop();
  client.transport().Stop();
  const absl::Status status = client.SendText().status();
  EXPECT_EQ(ReasonOf(status), "DRAINING");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_EQ(server.connections(), 0);
}

TEST(CourseTest, ACallMayBeginInsideTheEndOfAnother) {
  ScriptedServer server([](Connection& connection) {
    while (connection.ReadRequest()) connection.Write(Accepted("m1"));
  });
  AulmTestClient client(server.base_url());
  struct Chain final : SendObserver, std::enable_shared_from_this<Chain> {
    explicit Chain(AulmClient& asked) : client(asked) {}
    void OnDetached(absl::Status) override {}
    void OnDone(absl::StatusOr<SendResult> result) override {
      if (!result.ok() || ++made == 50) return done.Notify();
      client.SendText({kTestSession, kTestNumber, "again"}, {}, shared_from_this());
    }
    AulmClient& client;
    int made = 0;
    absl::Notification done;
  };
  const auto chain = std::make_shared<Chain>(client.client());
  client.client().SendText({kTestSession, kTestNumber, "first"}, {}, chain);
  ASSERT_TRUE(chain->done.WaitForNotificationWithTimeout(absl::Seconds(20)));
  EXPECT_EQ(chain->made, 50);
  EXPECT_EQ(server.connections(), 1);
}

TEST(CourseTest, ConnectTimeoutIsNotSent) {
  ScriptedServer server(StaySilent);
  CurlTransportOptions options;
  options.connect_timeout = absl::Milliseconds(100);
  AulmTestClient client(Stalled(server), options);
  const absl::Status status = client.SendText().status();
  EXPECT_EQ(ReasonOf(status), "CONNECT_FAILED");
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
}

}  // namespace
}  // namespace aulm::gateway
