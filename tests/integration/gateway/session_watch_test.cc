// Sessions that are watched: a change of state becomes an event; silence after sends makes a session suspect.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "tests/integration/gateway/gateway_fixture.h"

namespace aulm::gateway {
namespace {

class SessionWatchTest : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    Write("key", simulator::kLiveKey);
    Write("secret", simulator::kWebhookSecret);
    Write("gateway.json", absl::StrFormat(R"({
      "accounts": [{"name": "default", "api_key_file": "%1$s/key", "webhook_secret_files": ["%1$s/secret"],
                    "session_ids": ["%2$s"], "session_poll_interval": "1s", "suspect_after": "1s"}],
      "pacing": {"off": true}})",
                                          folder_, simulator::kConnectedSession));
    options_.environment["GATEWAY_CONFIG"] = folder_ + "/gateway.json";
    options_.environment["AULM_API_KEY"] = "";
    options_.environment["AULM_WEBHOOK_SECRET"] = "";
  }

  void Write(const std::string& name, const std::string& content) { std::ofstream(folder_ + "/" + name) << content; }

  // Until the watch has read the session that often.
  void WaitForPolls(size_t count) {
    const auto requests = simulator_->control().WaitForRequests(count, absl::Seconds(30));
    ASSERT_TRUE(requests.ok()) << requests.status();
  }

  // The first `count` events about the session's state, from the start of the log.
  std::vector<v1::Event> TakeStates(size_t count) {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SubscribeEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    request.mutable_filter()->add_types(v1::EVENT_TYPE_SESSION_STATE);
    const auto stream = events_->SubscribeEvents(&context, request);
    std::vector<v1::Event> events = Take(*stream, count);
    context.TryCancel();
    return events;
  }

  v1::Session ReadSession() {
    grpc::ClientContext context;
    SetLimit(context);
    v1::GetSessionStatusRequest request;
    request.set_session_id(simulator::kConnectedSession);
    v1::GetSessionStatusResponse response;
    EXPECT_TRUE(sessions_->GetSessionStatus(&context, request, &response).ok());
    return response.session();
  }
};

TEST_F(SessionWatchTest, ChangeOfStateIsAnEventAlsoOverARestart) {
  StartGateway();
  WaitForPolls(1);
  ASSERT_TRUE(simulator_->control().SetSession(simulator::kConnectedSession, "disconnected").ok());
  ASSERT_THAT(TakeStates(1), testing::SizeIs(1));
  gateway_->process().Signal(SIGKILL);
  StartGateway();
  ASSERT_TRUE(simulator_->control().SetSession(simulator::kConnectedSession, "awaiting_scan").ok());

  const std::vector<v1::Event> events = TakeStates(2);

  ASSERT_THAT(events, testing::SizeIs(2));
  EXPECT_EQ(events[0].session_state().session().state(), v1::SESSION_STATE_DISCONNECTED);
  EXPECT_EQ(events[1].session_state().session().state(), v1::SESSION_STATE_AWAITING_SCAN);
  EXPECT_EQ(events[1].session_id(), simulator::kConnectedSession);
  EXPECT_EQ(events[1].event_name(), "session_state");
}

TEST_F(SessionWatchTest, ConnectedSessionWhoseSendsGetNoStatusIsSuspectUntilOneComes) {
  StartGateway();
  WaitForPolls(1);
  for (int i = 0; i < 3; ++i) {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SendTextResponse sent;
    ASSERT_TRUE(messaging_->SendText(&context, Text("+999000000004"), &sent).ok());  // no status follows
  }

  ASSERT_THAT(TakeStates(1), testing::SizeIs(1));
  EXPECT_TRUE(ReadSession().suspect());
  simulator::MessageStatus status;
  status.session_id = simulator::kConnectedSession;
  status.message_id = "any";
  status.to = "+966512345678";
  status.status = "delivered";
  ASSERT_TRUE(simulator_->control().SendStatus(status).ok());

  const std::vector<v1::Event> events = TakeStates(2);

  ASSERT_THAT(events, testing::SizeIs(2));
  EXPECT_TRUE(events[0].session_state().session().suspect());
  EXPECT_FALSE(events[1].session_state().session().suspect());
  EXPECT_FALSE(ReadSession().suspect());
}

}  // namespace
}  // namespace aulm::gateway
