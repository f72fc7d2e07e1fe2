#include "aulm/gateway/client/channel.h"

#include <atomic>
#include <string>

#include "aulm/gateway/client/event_follower.h"
#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Key;
using ::testing::Not;
using ::testing::Pair;
using ::testing::StartsWith;

grpc::Status AskStatus(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  v1::GetSessionStatusResponse response;
  return v1::SessionService::NewStub(channel)->GetSessionStatus(&context, v1::GetSessionStatusRequest(), &response);
}

grpc::Status Send(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  v1::SendTextResponse response;
  return v1::MessagingService::NewStub(channel)->SendText(&context, v1::SendTextRequest(), &response);
}

TEST(OpenChannelTest, EmptyTargetIsRefused) {
  ChannelOptions options;
  options.target = "";
  EXPECT_THAT(std::string(OpenChannel(options).status().message()), HasSubstr("target"));
}

TEST(OpenChannelTest, KeepaliveBelowTwentySecondsIsRefused) {
  ChannelOptions options;
  options.keepalive = absl::Seconds(19);
  EXPECT_THAT(std::string(OpenChannel(options).status().message()), HasSubstr("20s"));
}

TEST(OpenChannelTest, CertificateWithoutKeyIsRefused) {
  ChannelOptions options;
  options.tls.emplace().certificate_pem = "pem";
  EXPECT_EQ(OpenChannel(options).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST(OpenChannelTest, TokenIsAskedForAtEachCall) {
  FakeGateway gateway;
  ChannelOptions options;
  options.target = gateway.address();
  std::atomic<int> asked = 0;
  options.bearer_token = [&] { return ++asked == 1 ? "first" : "second"; };
  const auto channel = *OpenChannel(options);
  AskStatus(channel);
  EXPECT_THAT(gateway.metadata(), Contains(Pair("authorization", "Bearer first")));
  AskStatus(channel);
  EXPECT_THAT(gateway.metadata(), Contains(Pair("authorization", "Bearer second")));
}

TEST(OpenChannelTest, EmptyTokenSendsNoHeader) {
  FakeGateway gateway;
  ChannelOptions options;
  options.target = gateway.address();
  options.bearer_token = [] { return ""; };
  AskStatus(*OpenChannel(options));
  EXPECT_THAT(gateway.metadata(), Not(Contains(Key("authorization"))));
}

TEST(OpenChannelTest, CallWhoseTokenIsNoneIsNotMade) {
  FakeGateway gateway;
  ChannelOptions options;
  options.target = gateway.address();
  options.bearer_token = [] { return "secret\n"; };
  const auto channel = *OpenChannel(options);
  const grpc::Status status = Send(channel);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_THAT(status.error_message(), HasSubstr("printable ASCII"));
  EXPECT_THAT(status.error_message(), Not(HasSubstr("secret")));
  EventFollower follower(channel, {});
  EXPECT_EQ(follower.Next(), std::nullopt);
  EXPECT_EQ(follower.error()->code, grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(gateway.calls(), 0);
}

TEST(OpenChannelTest, UserAgentNamesTheApplication) {
  FakeGateway gateway;
  ChannelOptions options;
  options.target = gateway.address();
  options.user_agent = "shop/1";
  AskStatus(*OpenChannel(options));
  EXPECT_THAT(gateway.metadata(), Contains(Pair("user-agent", StartsWith("shop/1 "))));
}

TEST(OpenChannelTest, UnavailableReadIsRepeated) {
  FakeGateway gateway;
  std::atomic<int> calls = 0;
  gateway.OnGetSessionStatus([&](const auto&, auto&) {
    return ++calls < 3 ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now") : grpc::Status::OK;
  });
  EXPECT_TRUE(AskStatus(gateway.Channel()).ok());
  EXPECT_EQ(gateway.calls(), 3);
}

TEST(OpenChannelTest, UnavailableSendIsNeverRepeated) {
  FakeGateway gateway;
  gateway.OnSendText([](const auto&, auto&) { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "not now"); });
  EXPECT_EQ(Send(gateway.Channel()).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(gateway.calls(), 1);
}

TEST(OpenChannelTest, MessageOfMoreThanFourMebibytesPasses) {
  FakeGateway gateway;
  gateway.OnReadEvents([](const auto&, v1::ReadEventsResponse& response) {
    response.add_events()->set_raw_body(std::string(6 << 20, 'x'));
    return grpc::Status::OK;
  });
  grpc::ClientContext context;
  v1::ReadEventsResponse response;
  const auto stub = v1::EventService::NewStub(gateway.Channel());
  EXPECT_TRUE(stub->ReadEvents(&context, v1::ReadEventsRequest(), &response).ok());
  EXPECT_EQ(response.events(0).raw_body().size(), 6 << 20);
}

}  // namespace
}  // namespace aulm::gateway::client
