// A durable subscription belongs to the caller that made it: others do not find it, may have one of the same name, and
// what a caller may see bounds what its subscription delivers.
#include <gmock/gmock.h>

#include <csignal>
#include <string>
#include <vector>

#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "tests/integration/callers/callers_fixture.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::UnorderedElementsAre;

class OwnSubscriptionsTest : public testing::TestWithParam<v1::SubscriptionMode> {
 protected:
  void SetUp() override {
    for (const std::string name : {"all", "shop"}) accounts_.WriteToken(name, "token-of-" + name);
    Start("gateway", kSession);
    const auto& control = accounts_.simulator().control();
    ASSERT_TRUE(control
                    .SetWebhook(absl::StrCat("http://", gateway_->webhook_address(), "/webhooks/aulm/default"),
                                "whsec_default", "default")
                    .ok());
    size_t received = 0;
    for (const auto& [session_id, text] : std::vector<std::pair<std::string, std::string>>{
             {kOtherSession, "foreign"}, {kSession, "mine"}, {kOtherSession, "foreign too"}, {kSession, "mine too"}}) {
      ASSERT_TRUE(control.SendInbound({.session_id = session_id, .from = "+966500000001", .body = text}).ok());
      ASSERT_TRUE(control.WaitForDeliveries(++received, absl::Seconds(30)).ok());
    }
  }

  void Start(const std::string& name, const std::string& session_id) {
    gateway_.emplace(accounts_.StartGateway(name, absl::StrReplaceAll(R"("callers": [
            {"name": "all", "token_sha256_file": "$D/all", "methods": ["*"], "accounts": ["*"], "session_ids": ["*"]},
            {"name": "shop", "token_sha256_file": "$D/shop", "methods": ["*"], "accounts": ["*"],
             "session_ids": ["$S"]}])",
                                                                      {{"$S", session_id}})));
    const auto channel = Connect(gateway_->grpc_address());
    events_ = v1::EventService::NewStub(channel);
    subscriptions_ = v1::SubscriptionService::NewStub(channel);
  }

  // The gateway again over the same store, where the caller `shop` may see that session (or all: "*").
  void Restart(const std::string& session_id) {
    gateway_->process().Signal(SIGTERM);
    ASSERT_TRUE(gateway_->process().Wait(absl::Seconds(30)).ok());
    Start("gateway", session_id);
  }

  static void Authorize(grpc::ClientContext& context, const std::string& caller) {
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer token-of-" + caller);
  }

  Answer Create(const std::string& caller, const std::string& name, const std::string& filter_session = "") {
    grpc::ClientContext context;
    Authorize(context, caller);
    v1::CreateSubscriptionRequest request;
    request.mutable_subscription()->set_name(name);
    request.mutable_subscription()->set_mode(GetParam());
    request.mutable_subscription()->set_position(v1::START_POSITION_EARLIEST);
    if (!filter_session.empty()) request.mutable_subscription()->mutable_filter()->add_session_ids(filter_session);
    v1::CreateSubscriptionResponse response;
    const grpc::Status status = subscriptions_->CreateSubscription(&context, request, &response);
    if (status.ok()) {
      EXPECT_EQ(response.subscription().name(), name);
    }
    return AnswerOf(status);
  }

  template <typename Request, typename Response>
  std::string ReasonOf(const std::string& caller, const Request& request,
                       grpc::Status (v1::SubscriptionService::Stub::*method)(grpc::ClientContext*, const Request&,
                                                                             Response*)) {
    grpc::ClientContext context;
    Authorize(context, caller);
    Response response;
    return AnswerOf((subscriptions_.get()->*method)(&context, request, &response)).reason;
  }

  // Names, page by page of one.
  std::vector<std::string> List(const std::string& caller) {
    std::vector<std::string> names;
    v1::ListSubscriptionsRequest request;
    request.set_page_size(1);
    do {
      grpc::ClientContext context;
      Authorize(context, caller);
      v1::ListSubscriptionsResponse response;
      const grpc::Status status = subscriptions_->ListSubscriptions(&context, request, &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::Subscription& subscription : response.subscriptions()) names.push_back(subscription.name());
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return names;
  }

  // The first events that the subscription delivers; each is settled, so that its conversation goes on.
  std::vector<std::string> Consume(const std::string& caller, const std::string& name, size_t count) {
    grpc::ClientContext context;
    Authorize(context, caller);
    v1::SubscribeEventsRequest request;
    request.set_subscription(name);
    const auto stream = events_->SubscribeEvents(&context, request);
    std::vector<std::string> texts;
    v1::SubscribeEventsResponse frame;
    while (texts.size() < count && stream->Read(&frame)) {
      v1::AcknowledgeEventsRequest acknowledge;
      acknowledge.set_subscription(name);
      for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
        texts.push_back(delivery.event().inbound_message().body());
        if (delivery.ack_token().empty()) continue;
        v1::Settlement& settlement = *acknowledge.add_settlements();
        settlement.set_ack_token(delivery.ack_token());
        settlement.set_action(v1::SETTLEMENT_ACTION_ACK);
      }
      if (acknowledge.settlements().empty()) continue;
      grpc::ClientContext settle;
      Authorize(settle, caller);
      v1::AcknowledgeEventsResponse settled;
      const grpc::Status status = events_->AcknowledgeEvents(&settle, acknowledge, &settled);
      EXPECT_TRUE(status.ok()) << status.error_message();
    }
    context.TryCancel();
    stream->Finish();
    return texts;
  }

  TwoAccounts accounts_;
  std::optional<GatewayProcess> gateway_;
  std::unique_ptr<v1::EventService::Stub> events_;
  std::unique_ptr<v1::SubscriptionService::Stub> subscriptions_;
};

TEST_P(OwnSubscriptionsTest, OthersDoNotFindIt) {
  ASSERT_EQ(Create("all", "orders").code, grpc::StatusCode::OK);
  v1::GetSubscriptionRequest get;
  get.set_name("orders");
  EXPECT_EQ(ReasonOf("all", get, &v1::SubscriptionService::Stub::GetSubscription), "");
  EXPECT_EQ(ReasonOf("shop", get, &v1::SubscriptionService::Stub::GetSubscription), "SUBSCRIPTION_NOT_FOUND");
  v1::DeleteSubscriptionRequest remove;
  remove.set_name("orders");
  EXPECT_EQ(ReasonOf("shop", remove, &v1::SubscriptionService::Stub::DeleteSubscription), "SUBSCRIPTION_NOT_FOUND");
  v1::SeekSubscriptionRequest seek;
  seek.set_name("orders");
  seek.set_position(v1::START_POSITION_LATEST);
  EXPECT_EQ(ReasonOf("shop", seek, &v1::SubscriptionService::Stub::SeekSubscription), "SUBSCRIPTION_NOT_FOUND");
  v1::ListParkedEventsRequest parked;
  parked.set_subscription("orders");
  EXPECT_EQ(ReasonOf("shop", parked, &v1::SubscriptionService::Stub::ListParkedEvents), "SUBSCRIPTION_NOT_FOUND");
  grpc::ClientContext context;
  Authorize(context, "shop");
  v1::SubscribeEventsRequest subscribe;
  subscribe.set_subscription("orders");
  const auto stream = events_->SubscribeEvents(&context, subscribe);
  v1::SubscribeEventsResponse frame;
  EXPECT_FALSE(stream->Read(&frame));
  EXPECT_EQ(AnswerOf(stream->Finish()).reason, "SUBSCRIPTION_NOT_FOUND");
  EXPECT_EQ(ReasonOf("all", get, &v1::SubscriptionService::Stub::GetSubscription), "");
}

TEST_P(OwnSubscriptionsTest, TwoCallersMayHaveOneOfTheSameName) {
  ASSERT_EQ(Create("all", "orders").code, grpc::StatusCode::OK);
  ASSERT_EQ(Create("all", "second").code, grpc::StatusCode::OK);
  ASSERT_EQ(Create("all", "third").code, grpc::StatusCode::OK);
  ASSERT_EQ(Create("shop", "orders").code, grpc::StatusCode::OK);
  EXPECT_THAT(List("all"), ElementsAre("orders", "second", "third"));
  EXPECT_THAT(List("shop"), ElementsAre("orders"));
  v1::DeleteSubscriptionRequest remove;
  remove.set_name("orders");
  EXPECT_EQ(ReasonOf("shop", remove, &v1::SubscriptionService::Stub::DeleteSubscription), "");
  EXPECT_THAT(List("all"), ElementsAre("orders", "second", "third"));
  EXPECT_THAT(List("shop"), testing::IsEmpty());
}

TEST_P(OwnSubscriptionsTest, DeliversWhatItsCallerMaySee) {
  ASSERT_EQ(Create("shop", "orders").code, grpc::StatusCode::OK);
  EXPECT_THAT(Consume("shop", "orders", 2), ElementsAre("mine", "mine too"));
  ASSERT_EQ(Create("all", "orders").code, grpc::StatusCode::OK);
  EXPECT_THAT(Consume("all", "orders", 4), UnorderedElementsAre("mine", "mine too", "foreign", "foreign too"));
}

TEST_P(OwnSubscriptionsTest, AFilterMayNotNameWhatItsCallerMayNotSee) {
  const Answer refused = Create("shop", "orders", kOtherSession);
  EXPECT_EQ(refused.reason, "CALLER_NOT_ALLOWED");
  EXPECT_EQ(refused.metadata.at("value"), kOtherSession);
}

// What a caller may not see any more, it does not see among the parked events either, nor get by putting them back.
class ParkedEventsTest : public OwnSubscriptionsTest {
 protected:
  // Parks the first event of every conversation.
  void ParkAll(const std::string& name, size_t count) {
    grpc::ClientContext context;
    Authorize(context, "shop");
    v1::SubscribeEventsRequest request;
    request.set_subscription(name);
    const auto stream = events_->SubscribeEvents(&context, request);
    v1::SubscribeEventsResponse frame;
    size_t parked = 0;
    while (parked < count && stream->Read(&frame)) {
      v1::AcknowledgeEventsRequest acknowledge;
      acknowledge.set_subscription(name);
      for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
        v1::Settlement& settlement = *acknowledge.add_settlements();
        settlement.set_ack_token(delivery.ack_token());
        settlement.set_action(v1::SETTLEMENT_ACTION_PARK);
        ++parked;
      }
      if (acknowledge.settlements().empty()) continue;
      grpc::ClientContext settle;
      Authorize(settle, "shop");
      v1::AcknowledgeEventsResponse settled;
      ASSERT_TRUE(events_->AcknowledgeEvents(&settle, acknowledge, &settled).ok());
    }
    context.TryCancel();
    stream->Finish();
  }

  // Texts of the parked events, page by page of one.
  std::vector<std::string> Parked(const std::string& name) {
    std::vector<std::string> texts;
    v1::ListParkedEventsRequest request;
    request.set_subscription(name);
    request.set_page_size(1);
    do {
      grpc::ClientContext context;
      Authorize(context, "shop");
      v1::ListParkedEventsResponse response;
      const grpc::Status status = subscriptions_->ListParkedEvents(&context, request, &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::ParkedEvent& parked : response.parked_events()) {
        texts.push_back(parked.event().inbound_message().body());
      }
      request.set_page_token(response.next_page_token());
    } while (!request.page_token().empty());
    return texts;
  }

  // How many were put back.
  uint64_t ReplayAll(const std::string& name) {
    grpc::ClientContext context;
    Authorize(context, "shop");
    v1::ReplayParkedEventsRequest request;
    request.set_subscription(name);
    request.set_all(true);
    v1::ReplayParkedEventsResponse response;
    const grpc::Status status = subscriptions_->ReplayParkedEvents(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.replayed_events();
  }
};

TEST_P(ParkedEventsTest, AreThoseThatTheCallerMaySeeNow) {
  Restart("*");
  ASSERT_EQ(Create("shop", "orders").code, grpc::StatusCode::OK);
  ParkAll("orders", 4);
  EXPECT_THAT(Parked("orders"), UnorderedElementsAre("mine", "mine too", "foreign", "foreign too"));

  Restart(kSession);

  EXPECT_THAT(Parked("orders"), UnorderedElementsAre("mine", "mine too"));
  EXPECT_EQ(ReplayAll("orders"), 2u);
  EXPECT_THAT(Consume("shop", "orders", 2), ElementsAre("mine", "mine too"));
  // They are still there for whoever may see them.
  Restart("*");
  EXPECT_THAT(Parked("orders"), UnorderedElementsAre("foreign", "foreign too"));
}

TEST_P(ParkedEventsTest, OnTheirWayBackStopForACallerThatMaySeeThemNoMore) {
  Restart("*");
  ASSERT_EQ(Create("shop", "orders").code, grpc::StatusCode::OK);
  ParkAll("orders", 4);
  ASSERT_EQ(ReplayAll("orders"), 4u);

  Restart(kSession);

  EXPECT_THAT(Consume("shop", "orders", 2), ElementsAre("mine", "mine too"));
  Restart("*");
  EXPECT_THAT(Consume("shop", "orders", 2), ElementsAre("foreign", "foreign too"));
}

INSTANTIATE_TEST_SUITE_P(Shared, ParkedEventsTest, testing::Values(v1::SUBSCRIPTION_MODE_SHARED));

INSTANTIATE_TEST_SUITE_P(Modes, OwnSubscriptionsTest,
                         testing::Values(v1::SUBSCRIPTION_MODE_CURSOR, v1::SUBSCRIPTION_MODE_SHARED));

}  // namespace
}  // namespace aulm::gateway
