// How much one caller may do at once, what the log and the metrics say of it, and tokens that change.
#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/match.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "tests/integration/callers/callers_fixture.h"
#include "tests/integration/callers/contract_calls.h"
#include "tests/support/raw_http_client.h"

namespace aulm::gateway {
namespace {

class CallerLimitsTest : public testing::Test {
 protected:
  void SetUp() override {
    accounts_.WriteToken("shop", "token-of-shop");
    accounts_.WriteToken("other", "token-of-other");
    gateway_.emplace(accounts_.StartGateway("gateway", R"("callers": [
        {"name": "shop", "token_sha256_file": "$D/shop", "methods": ["*"], "accounts": ["*"], "session_ids": ["*"],
         "max_streams": 2, "max_subscriptions": 2, "sends_per_second": 0.001},
        {"name": "other", "token_sha256_file": "$D/other", "methods": ["*"], "accounts": ["*"],
         "session_ids": ["*"]}], "limits": {"subscriptions": 3})"));
    channel_ = Connect(gateway_->grpc_address());
  }

  Answer Call(const std::string& token, const std::string& method, const std::string& target = kSession) {
    grpc::ClientContext context;
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer " + token);
    return AnswerOf(ContractCalls().at(method)(channel_, context, target));
  }

  Answer CreateSubscription(const std::string& caller, const std::string& name) {
    grpc::ClientContext context;
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer token-of-" + caller);
    v1::CreateSubscriptionRequest request;
    request.mutable_subscription()->set_name(name);
    request.mutable_subscription()->set_mode(v1::SUBSCRIPTION_MODE_SHARED);
    v1::CreateSubscriptionResponse response;
    return AnswerOf(v1::SubscriptionService::NewStub(channel_)->CreateSubscription(&context, request, &response));
  }

  Answer DeleteSubscription(const std::string& caller, const std::string& name) {
    grpc::ClientContext context;
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer token-of-" + caller);
    v1::DeleteSubscriptionRequest request;
    request.set_name(name);
    v1::DeleteSubscriptionResponse response;
    return AnswerOf(v1::SubscriptionService::NewStub(channel_)->DeleteSubscription(&context, request, &response));
  }

  std::string Log() {
    std::ifstream file(accounts_.Path("gateway/gateway.log"));
    return std::string(std::istreambuf_iterator<char>(file), {});
  }

  TwoAccounts accounts_;
  std::optional<GatewayProcess> gateway_;
  std::shared_ptr<grpc::Channel> channel_;
};

// A stream that is open until this goes away, of a durable subscription where one is named.
class OpenStream {
 public:
  OpenStream(const std::shared_ptr<grpc::Channel>& channel, const std::string& caller,
             const std::string& subscription = "")
      : stub_(v1::EventService::NewStub(channel)) {
    SetLimit(context_);
    context_.AddMetadata("authorization", "Bearer token-of-" + caller);
    v1::SubscribeEventsRequest request;
    request.set_subscription(subscription);
    stream_ = stub_->SubscribeEvents(&context_, request);
    is_open_ = stream_->Read(&frame_);
  }
  ~OpenStream() {
    if (ended_) return;
    context_.TryCancel();
    stream_->Finish();
  }

  bool is_open() const { return is_open_; }

  // How a stream ended that was not let in.
  Answer End() {
    ended_ = true;
    return AnswerOf(stream_->Finish());
  }

 private:
  const std::unique_ptr<v1::EventService::Stub> stub_;
  grpc::ClientContext context_;
  v1::SubscribeEventsResponse frame_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeEventsResponse>> stream_;
  bool is_open_ = false;
  bool ended_ = false;
};

TEST_F(CallerLimitsTest, OneStreamMoreThanItMayIsOverloaded) {
  const OpenStream first(channel_, "shop");
  auto second = std::make_unique<OpenStream>(channel_, "shop");
  ASSERT_TRUE(first.is_open() && second->is_open());

  const Answer refused = Call("token-of-shop", "SubscribeEvents");

  EXPECT_EQ(refused.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.reason, "OVERLOADED");
  EXPECT_THAT(refused.message, testing::HasSubstr("max_streams"));
  // Others are not held up.
  EXPECT_EQ(Call("token-of-other", "SubscribeEvents").code, grpc::StatusCode::OK);
  second.reset();
  // The slot is given back when the gateway has seen the stream's end.
  while (Call("token-of-shop", "SubscribeEvents").reason == "OVERLOADED") continue;
}

TEST_F(CallerLimitsTest, AStreamOfADurableSubscriptionCountsLikeAnyOther) {
  ASSERT_EQ(CreateSubscription("shop", "orders").code, grpc::StatusCode::OK);
  const OpenStream first(channel_, "shop");
  const OpenStream second(channel_, "shop", "orders");
  ASSERT_TRUE(first.is_open() && second.is_open());

  OpenStream third(channel_, "shop", "orders");

  EXPECT_FALSE(third.is_open());
  const Answer refused = third.End();
  EXPECT_EQ(refused.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.reason, "OVERLOADED");
}

TEST_F(CallerLimitsTest, OneSubscriptionMoreThanItMayIsOverloaded) {
  ASSERT_EQ(CreateSubscription("shop", "orders").code, grpc::StatusCode::OK);
  ASSERT_EQ(CreateSubscription("shop", "stock").code, grpc::StatusCode::OK);

  const Answer refused = CreateSubscription("shop", "third");

  EXPECT_EQ(refused.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.reason, "OVERLOADED");
  EXPECT_EQ(refused.metadata.at("caller"), "shop");
  EXPECT_THAT(refused.message, testing::HasSubstr("callers[].max_subscriptions"));
  EXPECT_THAT(refused.message, testing::HasSubstr("delete one"));
  // One that is there is no new one, and others are not held up.
  EXPECT_EQ(CreateSubscription("shop", "stock").code, grpc::StatusCode::OK);
  EXPECT_EQ(CreateSubscription("other", "third").code, grpc::StatusCode::OK);
  // A place that was given up can be taken.
  EXPECT_EQ(DeleteSubscription("shop", "orders").code, grpc::StatusCode::OK);
  EXPECT_EQ(CreateSubscription("shop", "third").code, grpc::StatusCode::OK);
}

TEST_F(CallerLimitsTest, OneSubscriptionMoreThanTheGatewayMayHaveIsOverloaded) {
  for (const std::string name : {"a", "b", "c"}) {
    ASSERT_EQ(CreateSubscription("other", name).code, grpc::StatusCode::OK);
  }
  const Answer refused = CreateSubscription("shop", "d");
  EXPECT_EQ(refused.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(refused.reason, "OVERLOADED");
  EXPECT_THAT(refused.message, testing::HasSubstr("limits.subscriptions"));
}

TEST_F(CallerLimitsTest, ASendMoreThanItMayIsOverloadedAndNotSent) {
  ASSERT_EQ(Call("token-of-shop", "SendText").code, grpc::StatusCode::OK);

  grpc::ClientContext context;
  SetLimit(context);
  context.AddMetadata("authorization", "Bearer token-of-shop");
  const grpc::Status refused = ContractCalls().at("SendText")(channel_, context, kSession);

  const Answer answer = AnswerOf(refused);
  EXPECT_EQ(answer.code, grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(answer.reason, "OVERLOADED");
  EXPECT_EQ(answer.metadata.at("outcome"), "not_sent");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(refused.error_details()));
  google::rpc::RetryInfo retry;
  for (const auto& detail : details.details()) detail.UnpackTo(&retry);
  EXPECT_GT(retry.retry_delay().seconds(), 900);  // 0.001 a second
  EXPECT_EQ(Call("token-of-other", "SendText").code, grpc::StatusCode::OK);
}

TEST_F(CallerLimitsTest, AnAnswerFromTheLedgerIsNoSend) {
  const auto stub = v1::MessagingService::NewStub(channel_);
  const auto send = [&] {
    grpc::ClientContext context;
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer token-of-shop");
    v1::SendTextRequest request;
    request.set_session_id(kSession);
    request.set_to("+966512345678");
    request.set_body("hi");
    request.set_request_id("order-1");
    v1::SendTextResponse response;
    const grpc::Status status = stub->SendText(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.replayed();
  };
  EXPECT_FALSE(send());
  EXPECT_TRUE(send());
}

TEST_F(CallerLimitsTest, TheLogNamesTheCallerAndNeverItsToken) {
  ASSERT_EQ(Call("token-of-shop", "SendText").code, grpc::StatusCode::OK);
  Call("token-of-nobody", "SendText");
  Call("token-of-other", "SubscribeEvents");
  gateway_->process().Signal(SIGTERM);
  ASSERT_TRUE(gateway_->process().Wait(absl::Seconds(30)).ok());
  const std::string log = Log();
  EXPECT_THAT(log, testing::HasSubstr("\"method\":\"SendText\",\"code\":\"OK\",\"caller\":\"shop\""));
  EXPECT_THAT(log, testing::HasSubstr("\"reason\":\"CALLER_UNKNOWN\""));
  EXPECT_THAT(log, testing::HasSubstr("\"caller\":\"other\""));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("token-of")));
}

TEST_F(CallerLimitsTest, MetricsTellCallersApart) {
  Call("token-of-shop", "SendText");
  Call("token-of-shop", "SendText");
  Call("token-of-nobody", "SendText");
  RawHttpClient admin(gateway_->admin_address());
  admin.Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
  const std::string metrics = admin.ReadReply().body;
  EXPECT_THAT(metrics, testing::HasSubstr("aulm_gateway_caller_calls_total{caller=\"shop\",outcome=\"ok\"} 1\n"));
  EXPECT_THAT(metrics,
              testing::HasSubstr("aulm_gateway_caller_calls_total{caller=\"shop\",outcome=\"overloaded\"} 1\n"));
  EXPECT_THAT(metrics, testing::HasSubstr("aulm_gateway_unknown_callers_total{credentials=\"token\"} 1\n"));
}

TEST_F(CallerLimitsTest, ATokenFileThatChangesIsReadAgain) {
  ASSERT_EQ(Call("token-of-other", "ReadEvents").code, grpc::StatusCode::OK);
  // Both are good while both stand there; then the old one goes.
  accounts_.Write("other", absl::StrCat(Sha256Hex("token-of-other"), "\n", Sha256Hex("new-token"), "\n"));
  while (Call("new-token", "ReadEvents").reason == "CALLER_UNKNOWN") {
    ASSERT_EQ(Call("token-of-other", "ReadEvents").code, grpc::StatusCode::OK);
  }
  accounts_.WriteToken("other", "new-token");
  while (Call("token-of-other", "ReadEvents").reason != "CALLER_UNKNOWN") {
    ASSERT_EQ(Call("new-token", "ReadEvents").code, grpc::StatusCode::OK);
  }
  // One that cannot be used leaves the last in force.
  accounts_.Write("other", "no digest");
  while (!absl::StrContains(Log(), "secret_file_refused_old_kept")) {
    ASSERT_EQ(Call("new-token", "ReadEvents").code, grpc::StatusCode::OK);
  }
  EXPECT_EQ(Call("new-token", "ReadEvents").code, grpc::StatusCode::OK);
}

}  // namespace
}  // namespace aulm::gateway
