// Two aulm accounts: a send goes out under the key of its session's account, deliveries come in by the account's own
// path under its own secret, and events carry the account.
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "aulm/gateway/v1/quota_service.grpc.pb.h"
#include "tests/integration/callers/callers_fixture.h"

namespace aulm::gateway {
namespace {

class AccountsTest : public testing::Test {
 protected:
  void Start() {
    gateway_.emplace(accounts_.StartGateway("gateway", ""));
    channel_ = Connect(gateway_->grpc_address());
    // As the operator registers them in aulm's dashboard.
    SetWebhook("default", "/webhooks/aulm", "whsec_default");
    SetWebhook("second", "/webhooks/aulm/second", "whsec_second");
  }

  void SetWebhook(const std::string& account, const std::string& path, const std::string& secret) {
    ASSERT_TRUE(accounts_.simulator()
                    .control()
                    .SetWebhook(absl::StrCat("http://", gateway_->webhook_address(), path), secret, account)
                    .ok());
  }

  grpc::Status Send(const std::string& session_id, const std::string& to, v1::SendTextResponse& response) {
    const auto stub = v1::MessagingService::NewStub(channel_);
    v1::SendTextRequest request;
    request.set_session_id(session_id);
    request.set_to(to);
    request.set_body("hi");
    grpc::ClientContext context;
    SetLimit(context);
    return stub->SendText(&context, request, &response);
  }

  // The authorization headers under which aulm was asked.
  std::vector<std::string> KeysOfRequests() {
    std::vector<std::string> keys;
    const auto requests = accounts_.simulator().control().Requests();
    EXPECT_TRUE(requests.ok());
    for (const auto& request : *requests) {
      for (const auto& [name, value] : request.headers) {
        if (absl::EqualsIgnoreCase(name, "authorization")) keys.push_back(value);
      }
    }
    return keys;
  }

  // Events from the start until one of each account is there, as "account type".
  std::vector<std::string> TakeEvents(size_t count) {
    const auto stub = v1::EventService::NewStub(channel_);
    v1::SubscribeEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    grpc::ClientContext context;
    SetLimit(context);
    const auto stream = stub->SubscribeEvents(&context, request);
    std::vector<std::string> events;
    v1::SubscribeEventsResponse frame;
    while (events.size() < count && stream->Read(&frame)) {
      for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
        const v1::Event& event = delivery.event();
        events.push_back(absl::StrCat(event.account(), " ", event.session_id(), " ", event.event_name()));
      }
    }
    context.TryCancel();
    return events;
  }

  TwoAccounts accounts_;
  std::optional<GatewayProcess> gateway_;
  std::shared_ptr<grpc::Channel> channel_;
};

TEST_F(AccountsTest, ASendGoesOutUnderTheKeyOfItsSessionsAccount) {
  Start();
  v1::SendTextResponse first, second;
  ASSERT_TRUE(Send(kSession, "+966512345678", first).ok());
  ASSERT_TRUE(Send(kSecondSession, "+966512345678", second).ok());
  EXPECT_EQ(first.message().session_id(), kSession);
  EXPECT_EQ(second.message().session_id(), kSecondSession);
  EXPECT_THAT(KeysOfRequests(), testing::ElementsAre("Bearer alm_sk_test_simulator", "Bearer alm_sk_test_second"));
}

TEST_F(AccountsTest, ASessionOfNoAccountIsRefusedWithoutAskingAulm) {
  Start();
  v1::SendTextResponse response;
  const Answer answer = AnswerOf(Send(kNobodysSession, "+966512345678", response));
  EXPECT_EQ(answer.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(answer.reason, "INVALID_FIELD");
  EXPECT_THAT(answer.message, testing::HasSubstr("session_id"));
  EXPECT_THAT(answer.message, testing::HasSubstr("session_ids"));
  EXPECT_EQ(answer.metadata.at("outcome"), "not_sent");
  EXPECT_THAT(KeysOfRequests(), testing::IsEmpty());
}

TEST_F(AccountsTest, EventsCarryTheAccountWhosePathTheyCameBy) {
  Start();
  const auto& control = accounts_.simulator().control();
  ASSERT_TRUE(control.SendInbound({.session_id = kSession, .from = "+966500000001", .body = "to default"}).ok());
  ASSERT_TRUE(
      control.SendInbound({.session_id = kSecondSession, .from = "+966500000001", .body = "to second"}, "second").ok());
  EXPECT_THAT(TakeEvents(2),
              testing::UnorderedElementsAre(absl::StrCat("default ", kSession, " inbound_message"),
                                            absl::StrCat("second ", kSecondSession, " inbound_message")));
}

TEST_F(AccountsTest, ADeliveryUnderTheOtherAccountsSecretIsRefused) {
  Start();
  // The second account's deliveries are sent to the first one's path, and signed with its own secret.
  SetWebhook("second", "/webhooks/aulm/default", "whsec_second");
  const auto& control = accounts_.simulator().control();
  ASSERT_TRUE(control.SendInbound({.session_id = kSecondSession, .from = "+966500000001", .body = "x"}, "second").ok());
  const auto deliveries = control.WaitForDeliveries(1, absl::Seconds(30), "second");
  ASSERT_TRUE(deliveries.ok());
  ASSERT_EQ(deliveries->size(), 1u);
  EXPECT_EQ(deliveries->front().attempts.front().status, 401);
}

TEST_F(AccountsTest, QuotasAreApart) {
  Start();
  v1::SendTextResponse response;
  ASSERT_TRUE(Send(kSecondSession, "+966512345678", response).ok());
  const auto stub = v1::QuotaService::NewStub(channel_);
  const auto known = [&](const std::string& account) {
    v1::GetQuotaRequest request;
    request.set_account(account);
    v1::GetQuotaResponse quota;
    grpc::ClientContext context;
    SetLimit(context);
    EXPECT_TRUE(stub->GetQuota(&context, request, &quota).ok());
    return quota.has_rate_limit();
  };
  EXPECT_FALSE(known("default"));
  EXPECT_TRUE(known("second"));
}

}  // namespace
}  // namespace aulm::gateway
