// aulmctl, and with it the C++ client, between a shell and the real gateway: sends, errors, and following events while
// the gateway dies, stops and comes back.
#include <gmock/gmock.h>

#include <boost/json/parse.hpp>
#include <csignal>
#include <string>
#include <vector>

#include "absl/strings/str_split.h"
#include "client_stubs/cpp/tests/aulmctl_process.h"
#include "tests/integration/gateway/gateway_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAreArray;

constexpr absl::Duration kPatience = absl::Seconds(60);

class AulmctlGatewayTest : public GatewayTest {
 protected:
  // Starts the gateway on the ports of the first start, where clients and aulm look for it.
  void StartOnSamePorts() {
    if (gateway_.has_value()) {
      options_.environment["GATEWAY_GRPC_LISTEN"] = gateway_->grpc_address();
      options_.environment["GATEWAY_WEBHOOK_LISTEN"] = gateway_->webhook_address();
    }
    StartGateway();
  }
  ctl::Aulmctl Ctl() const { return ctl::Aulmctl(folder_, gateway_->grpc_address()); }
};

// A member of a JSON line, or what came instead of a line.
std::string Member(const absl::StatusOr<std::string>& line, const char* name) {
  if (!line.ok()) return std::string(line.status().message());
  return std::string(boost::json::parse(*line).at(name).as_string());
}

TEST_F(AulmctlGatewayTest, SendPrintsTheMessageIdThatItsEventsCarry) {
  StartOnSamePorts();
  ctl::Aulmctl aulmctl = Ctl();
  const ctl::Finished sent = aulmctl.Run(
      {"send", "text", "--json", "--session", simulator::kConnectedSession, "--to", "+999000000001", "ping"});
  ASSERT_EQ(sent.exit_code, 0) << sent.err;
  const std::string message_id(boost::json::parse(sent.out).at("message").at("messageId").as_string());
  const ctl::Finished followed =
      aulmctl.Run({"events", "follow", "--from", "earliest", "--message", message_id, "--count", "3"});
  EXPECT_EQ(followed.exit_code, 0) << followed.err;
  EXPECT_THAT(followed.out, AllOf(HasSubstr("sent"), HasSubstr("delivered"), HasSubstr("read")));
}

TEST_F(AulmctlGatewayTest, ADurableSubscriptionGoesOnWhereItWasAcknowledged) {
  StartOnSamePorts();
  ctl::Aulmctl aulmctl = Ctl();
  ASSERT_EQ(aulmctl.Run({"subscriptions", "create", "bot", "--from", "earliest"}).exit_code, 0);
  // One after the other: aulm promises no order of deliveries that are under way together.
  size_t delivered = 0;
  for (const char* text : {"the first", "the second"}) {
    ASSERT_TRUE(simulator_->control()
                    .SendInbound({.session_id = simulator::kConnectedSession, .from = "+966500000001", .body = text})
                    .ok());
    ASSERT_TRUE(simulator_->control().WaitForDeliveries(++delivered, kPatience).ok());
  }
  const ctl::Finished first = aulmctl.Run({"events", "follow", "--subscription", "bot", "--count", "1"});
  EXPECT_EQ(first.exit_code, 0) << first.err;
  EXPECT_THAT(first.out, HasSubstr("the first"));
  StartOnSamePorts();
  const ctl::Finished second = Ctl().Run({"events", "follow", "--subscription", "bot", "--count", "1"});
  EXPECT_EQ(second.exit_code, 0) << second.err;
  EXPECT_THAT(second.out, HasSubstr("the second"));
  EXPECT_EQ(Ctl().Run({"subscriptions", "delete", "bot"}).exit_code, 0);
  EXPECT_EQ(Ctl().Run({"subscriptions", "get", "bot"}).exit_code, 1);
}

TEST_F(AulmctlGatewayTest, RefusedSendNamesTheSessionAndTheRemedy) {
  StartOnSamePorts();
  const ctl::Finished run =
      Ctl().Run({"send", "text", "--session", simulator::kDisconnectedSession, "--to", "+966512345678", "hi"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, AllOf(HasSubstr("FAILED_PRECONDITION SESSION_NOT_READY (aulm.io)"), HasSubstr("not_sent"),
                             HasSubstr("dashboard"), HasSubstr("request id"), HasSubstr("aulm's id")));
}

TEST_F(AulmctlGatewayTest, EveryBadFieldIsListed) {
  StartOnSamePorts();
  const ctl::Finished run = Ctl().Run({"send", "text", "--session", "nope", "--to", "12", ""});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, AllOf(HasSubstr("field       session_id: "), HasSubstr("field       to: "),
                             HasSubstr("field       body: ")));
}

TEST_F(AulmctlGatewayTest, FollowSeesEveryEventOnceInOrderWhileTheGatewayDiesAndDrains) {
  constexpr int kRounds = 6;
  constexpr int kEventsARound = 300;
  constexpr char kId[] = "deliveryId";
  StartOnSamePorts();
  ctl::Aulmctl aulmctl = Ctl();
  ChildProcess follow = aulmctl.Start(
      {"events", "follow", "--json", "--from", "earliest", "--count", std::to_string(kRounds * kEventsARound)});
  simulator::BlastRequest blast;
  blast.count = kEventsARound;
  blast.rate_per_second = 600;
  blast.retry = true;
  blast.keep_ids = true;

  std::vector<std::string> followed;
  std::vector<std::string> acknowledged;
  for (int round = 1; round <= kRounds; ++round) {
    ASSERT_TRUE(simulator_->control().StartBlast(blast).ok());
    // In the middle of the round's events, the gateway goes.
    for (int i = 0; i < kEventsARound / 3; ++i) followed.push_back(Member(follow.ReadLine(kPatience), kId));
    gateway_->process().Signal(round % 2 == 0 ? SIGTERM : SIGKILL);
    ASSERT_TRUE(gateway_->process().Wait(kPatience).ok());
    StartOnSamePorts();
    while (followed.size() < static_cast<size_t>(round) * kEventsARound) {
      const absl::StatusOr<std::string> line = follow.ReadLine(kPatience);
      ASSERT_TRUE(line.ok()) << line.status() << " after " << followed.size();
      followed.push_back(Member(line, kId));
    }
    ASSERT_TRUE(simulator_->control().WaitForBlast(kPatience).ok());
    const auto ids = simulator_->control().DeliveredIds();
    ASSERT_TRUE(ids.ok());
    acknowledged.insert(acknowledged.end(), ids->begin(), ids->end());
  }
  EXPECT_EQ(follow.Wait(kPatience).value_or(-1), 0);
  EXPECT_THAT(ctl::ReadFile(aulmctl.stderr_path()), HasSubstr("aulmctl: connected again"));

  const ctl::Finished read = aulmctl.Run({"events", "read", "--json", "--all", "--page-size", "1000"});
  std::vector<std::string> logged;
  for (const absl::string_view line : absl::StrSplit(read.out, '\n', absl::SkipEmpty())) {
    logged.push_back(Member(std::string(line), kId));
  }
  EXPECT_EQ(followed, logged);
  EXPECT_THAT(followed, UnorderedElementsAreArray(acknowledged));
}

}  // namespace
}  // namespace aulm::gateway
