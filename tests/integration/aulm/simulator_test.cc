// The client against aulm's simulator: every error that it can give, and what it records of our requests.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "service/base/status_details.h"
#include "tests/integration/aulm/aulm_test_client.h"
#include "tests/simulator/simulator_process.h"

namespace aulm::gateway {
namespace {

using ::testing::StartsWith;

class AulmSimulatorTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    auto started = simulator::SimulatorProcess::Start();
    ASSERT_TRUE(started.ok()) << started.status();
    simulator_ = started->release();
  }
  static void TearDownTestSuite() {
    delete simulator_;
    simulator_ = nullptr;
  }

  void SetUp() override { ASSERT_TRUE(simulator_->control().Reset().ok()); }

  static absl::StatusOr<SendResult> Send(absl::string_view to, absl::string_view session = simulator::kConnectedSession,
                                         std::string key = simulator::kTestKey) {
    AulmTestClient client(simulator_->base_url(), {}, std::move(key));
    auto observer = std::make_shared<RecordingSendObserver>();
    client.client().SendText({session, to, "hi"}, {}, observer);
    return observer->Wait();
  }

  static simulator::SimulatorProcess* simulator_;
};

simulator::SimulatorProcess* AulmSimulatorTest::simulator_ = nullptr;

TEST_F(AulmSimulatorTest, ATestKeysSendIsSimulated) {
  const auto result = Send("+966512345678");
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_THAT(result->message_id, StartsWith("sim_"));
  EXPECT_TRUE(result->simulated);
  EXPECT_EQ(result->status, "sent");
  EXPECT_EQ(result->to, "+966512345678");
  EXPECT_EQ(result->session_id, simulator::kConnectedSession);
  EXPECT_NE(result->aulm_request_id, "");
  ASSERT_TRUE(result->rate_limit.has_value());
  EXPECT_TRUE(result->rate_limit->reset.has_value());
}

TEST_F(AulmSimulatorTest, ALiveKeysSendIsNot) {
  const auto result = Send("+966512345678", simulator::kConnectedSession, simulator::kLiveKey);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_FALSE(result->simulated);
}

TEST_F(AulmSimulatorTest, AnImageByBytesIsTaken) {
  AulmTestClient client(simulator_->base_url(), {}, simulator::kTestKey);
  const ImageSource image{"", "image/png", std::string("\x89PNG\r\n\x1A\n", 8) + std::string(1000, 'x')};
  auto observer = std::make_shared<RecordingSendObserver>();
  client.client().SendImage({simulator::kConnectedSession, "+966512345678", image, "look"}, {}, observer);
  EXPECT_TRUE(observer->Wait().ok()) << observer->Wait().status();
}

TEST_F(AulmSimulatorTest, StatusesAreRead) {
  AulmTestClient client(simulator_->base_url(), {}, simulator::kTestKey);
  for (const auto& [session, state] : {std::pair(simulator::kConnectedSession, "connected"),
                                       std::pair(simulator::kDisconnectedSession, "disconnected"),
                                       std::pair(simulator::kAwaitingScanSession, "awaiting_scan")}) {
    absl::Notification done;
    client.client().GetSessionStatus(session, {}, [&, wanted = state](absl::StatusOr<SessionStatus> result) {
      EXPECT_TRUE(result.ok()) << result.status();
      if (result.ok()) {
        EXPECT_EQ(result->status, wanted);
      }
      done.Notify();
    });
    ASSERT_TRUE(done.WaitForNotificationWithTimeout(absl::Seconds(20)));
  }
}

struct MagicRow {
  const char* number;
  const char* reason;
  absl::StatusCode code;
  Outcome outcome;
};

class AulmSimulatorErrorTest : public AulmSimulatorTest, public testing::WithParamInterface<MagicRow> {};

TEST_P(AulmSimulatorErrorTest, IsTyped) {
  const MagicRow& row = GetParam();
  const absl::Status status = Send(row.number).status();
  EXPECT_EQ(status.code(), row.code) << status;
  EXPECT_EQ(ReasonOf(status), row.reason);
  EXPECT_EQ(OutcomeOf(status), row.outcome);
}

using Code = absl::StatusCode;
INSTANTIATE_TEST_SUITE_P(
    Numbers, AulmSimulatorErrorTest,
    testing::Values(MagicRow{"+999000000400", "INVALID_JSON", Code::kInternal, Outcome::kNotSent},
                    MagicRow{"+999000001400", "INVALID_REQUEST", Code::kInvalidArgument, Outcome::kNotSent},
                    MagicRow{"+999000000401", "MISSING_AUTHORIZATION", Code::kInternal, Outcome::kNotSent},
                    MagicRow{"+999000001401", "INVALID_AUTHORIZATION", Code::kInternal, Outcome::kNotSent},
                    MagicRow{"+999000002401", "INVALID_API_KEY", Code::kFailedPrecondition, Outcome::kNotSent},
                    MagicRow{"+999000003401", "API_KEY_REVOKED", Code::kFailedPrecondition, Outcome::kNotSent},
                    MagicRow{"+999000004401", "API_KEY_EXPIRED", Code::kFailedPrecondition, Outcome::kNotSent},
                    MagicRow{"+999000005401", "ACCOUNT_DEACTIVATED", Code::kFailedPrecondition, Outcome::kNotSent},
                    MagicRow{"+999000000403", "SESSION_DISABLED", Code::kPermissionDenied, Outcome::kNotSent},
                    MagicRow{"+999000001403", "SESSION_NOT_ALLOWED", Code::kPermissionDenied, Outcome::kNotSent},
                    MagicRow{"+999000000404", "SESSION_NOT_FOUND", Code::kNotFound, Outcome::kNotSent},
                    MagicRow{"+999000000409", "SESSION_NOT_READY", Code::kFailedPrecondition, Outcome::kNotSent},
                    MagicRow{"+999000000429", "TOO_MANY_AUTH_FAILURES", Code::kResourceExhausted, Outcome::kNotSent},
                    MagicRow{"+999000001429", "DAILY_QUOTA_EXCEEDED", Code::kResourceExhausted, Outcome::kNotSent},
                    MagicRow{"+999000002429", "TRIAL_QUOTA_EXCEEDED", Code::kResourceExhausted, Outcome::kNotSent},
                    MagicRow{"+999000000502", "MESSAGING_SERVICE_UNREACHABLE", Code::kUnknown, Outcome::kUnknown},
                    MagicRow{"+999000001502", "MESSAGING_SERVICE_ERROR", Code::kUnknown, Outcome::kUnknown},
                    MagicRow{"+999000000503", "SERVICE_UNAVAILABLE", Code::kUnavailable, Outcome::kNotSent},
                    MagicRow{"+999000000504", "MESSAGING_SERVICE_TIMEOUT", Code::kUnknown, Outcome::kUnknown},
                    MagicRow{"+999000000005", "SEND_OUTCOME_UNKNOWN", Code::kUnknown, Outcome::kUnknown},
                    MagicRow{"+999000000006", "SEND_OUTCOME_UNKNOWN", Code::kUnknown, Outcome::kUnknown}),
    [](const auto& test) { return std::string(test.param.number).substr(1); });

TEST_F(AulmSimulatorTest, ALostAnswerOnAKeptAliveConnectionIsMadeOnce) {
  AulmTestClient client(simulator_->base_url(), {}, simulator::kTestKey);
  const auto send = [&](absl::string_view to) {
    auto observer = std::make_shared<RecordingSendObserver>();
    client.client().SendText({simulator::kConnectedSession, to, "hi"}, {}, observer);
    return observer->Wait();
  };
  ASSERT_TRUE(send("+966512345678").ok());
  EXPECT_EQ(ReasonOf(send("+999000000005").status()), "SEND_OUTCOME_UNKNOWN");
  const auto requests = simulator_->control().Requests();
  ASSERT_TRUE(requests.ok());
  EXPECT_EQ(requests->size(), 2u);
}

}  // namespace
}  // namespace aulm::gateway
