// What a caller sees of the one log: the sessions and accounts that it may use, and a resume cursor that has gone past
// the rest. And whose sends it can ask about: its own.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "tests/integration/callers/callers_fixture.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class SeenEventsTest : public testing::Test {
 protected:
  void SetUp() override {
    for (const std::string name : {"all", "shop", "second"}) accounts_.WriteToken(name, "token-of-" + name);
    gateway_.emplace(accounts_.StartGateway("gateway", absl::StrReplaceAll(R"("callers": [
            {"name": "all", "token_sha256_file": "$D/all", "methods": ["*"], "accounts": ["*"], "session_ids": ["*"]},
            {"name": "shop", "token_sha256_file": "$D/shop", "methods": ["*"], "accounts": ["*"],
             "session_ids": ["$S"]},
            {"name": "second", "token_sha256_file": "$D/second", "methods": ["*"], "accounts": ["second"],
             "session_ids": ["*"]}])",
                                                                           {{"$S", kSession}})));
    const auto channel = Connect(gateway_->grpc_address());
    events_ = v1::EventService::NewStub(channel);
    messaging_ = v1::MessagingService::NewStub(channel);
    const auto& control = accounts_.simulator().control();
    const std::string webhooks = absl::StrCat("http://", gateway_->webhook_address(), "/webhooks/aulm/");
    ASSERT_TRUE(control.SetWebhook(webhooks + "default", "whsec_default", "default").ok());
    ASSERT_TRUE(control.SetWebhook(webhooks + "second", "whsec_second", "second").ok());
  }

  // A message comes in, and is in the log when this returns.
  void Receive(const std::string& session_id, const std::string& text) {
    const std::string account = session_id == kSecondSession ? "second" : "default";
    const auto& control = accounts_.simulator().control();
    ASSERT_TRUE(control.SendInbound({.session_id = session_id, .from = "+966500000001", .body = text}, account).ok());
    ASSERT_TRUE(control.WaitForDeliveries(++received_[account], absl::Seconds(30), account).ok());
  }

  static void Authorize(grpc::ClientContext& context, const std::string& caller) {
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer token-of-" + caller);
  }

  v1::ReadEventsResponse Read(const std::string& caller) {
    grpc::ClientContext context;
    Authorize(context, caller);
    v1::ReadEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    v1::ReadEventsResponse response;
    const grpc::Status status = events_->ReadEvents(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  static std::vector<std::string> Texts(const v1::ReadEventsResponse& page) {
    std::vector<std::string> texts;
    for (const v1::Event& event : page.events()) texts.push_back(event.inbound_message().body());
    return texts;
  }

  grpc::Status Send(const std::string& caller, const std::string& request_id, v1::SendTextResponse& response,
                    const std::string& body = "hi") {
    grpc::ClientContext context;
    Authorize(context, caller);
    v1::SendTextRequest request;
    request.set_session_id(kSession);
    request.set_to("+966512345678");
    request.set_body(body);
    request.set_request_id(request_id);
    return messaging_->SendText(&context, request, &response);
  }

  TwoAccounts accounts_;
  std::optional<GatewayProcess> gateway_;
  std::unique_ptr<v1::EventService::Stub> events_;
  std::unique_ptr<v1::MessagingService::Stub> messaging_;
  std::map<std::string, size_t> received_;
};

TEST_F(SeenEventsTest, APageHoldsWhatItsCallerMaySee) {
  Receive(kSession, "a");
  Receive(kOtherSession, "b");
  Receive(kSecondSession, "c");
  Receive(kSession, "d");
  EXPECT_THAT(Texts(Read("all")), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(Texts(Read("shop")), ElementsAre("a", "d"));
  EXPECT_THAT(Texts(Read("second")), ElementsAre("c"));
}

TEST_F(SeenEventsTest, TheCursorOfAPageHasGonePastWhatWasLeftOut) {
  Receive(kSecondSession, "c");
  Receive(kSession, "a");
  Receive(kOtherSession, "b");
  const v1::ReadEventsResponse page = Read("second");
  EXPECT_TRUE(page.end_of_log());
  EXPECT_EQ(page.next_cursor(), Read("all").next_cursor());
}

TEST_F(SeenEventsTest, AStreamDeliversWhatItsCallerMaySeeAndResumesPastTheRest) {
  Receive(kOtherSession, "old");
  grpc::ClientContext context;
  Authorize(context, "shop");
  v1::SubscribeEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  request.mutable_heartbeat_interval()->set_seconds(1);
  const auto stream = events_->SubscribeEvents(&context, request);
  // Live ones too: the stream is at the head from its first heartbeat on.
  v1::SubscribeEventsResponse frame;
  while (stream->Read(&frame) && !frame.has_heartbeat()) EXPECT_FALSE(frame.has_event_batch());
  Receive(kSession, "mine");
  Receive(kSecondSession, "foreign");
  std::vector<std::string> seen;
  std::string cursor;
  const std::string head = Read("all").next_cursor();
  while (cursor != head && stream->Read(&frame)) {
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
      seen.push_back(delivery.event().inbound_message().body());
    }
    if (frame.has_event_batch()) cursor = frame.event_batch().resume_cursor();
    if (frame.has_heartbeat()) cursor = frame.heartbeat().resume_cursor();
  }
  context.TryCancel();
  EXPECT_THAT(seen, ElementsAre("mine"));
  EXPECT_EQ(cursor, head);
}

TEST_F(SeenEventsTest, ARequestIdIsItsCallersOwn) {
  v1::SendTextResponse first, repeated, others;
  ASSERT_TRUE(Send("all", "order-1", first).ok());
  ASSERT_TRUE(Send("all", "order-1", repeated).ok());
  EXPECT_TRUE(repeated.replayed());
  EXPECT_EQ(repeated.message().message_id(), first.message().message_id());
  // Another caller's order-1 is another send.
  ASSERT_TRUE(Send("shop", "order-1", others, "other").ok());
  EXPECT_FALSE(others.replayed());
  EXPECT_NE(others.message().message_id(), first.message().message_id());
}

TEST_F(SeenEventsTest, AMessageIsKnownToItsSenderAlone) {
  v1::SendTextResponse sent;
  ASSERT_TRUE(Send("all", "order-1", sent).ok());
  const auto ask = [&](const std::string& caller, bool by_request_id) {
    grpc::ClientContext context;
    Authorize(context, caller);
    v1::GetMessageRequest request;
    if (by_request_id) {
      request.set_request_id("order-1");
    } else {
      request.mutable_message()->set_session_id(kSession);
      request.mutable_message()->set_message_id(sent.message().message_id());
    }
    v1::GetMessageResponse response;
    return AnswerOf(messaging_->GetMessage(&context, request, &response));
  };
  EXPECT_EQ(ask("all", true).code, grpc::StatusCode::OK);
  EXPECT_EQ(ask("all", false).code, grpc::StatusCode::OK);
  EXPECT_EQ(ask("shop", true).reason, "MESSAGE_NOT_FOUND");
  EXPECT_EQ(ask("shop", false).reason, "MESSAGE_NOT_FOUND");
}

}  // namespace
}  // namespace aulm::gateway
