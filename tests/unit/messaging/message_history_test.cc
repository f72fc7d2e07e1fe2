#include "service/messaging/message_history.h"

#include <memory>
#include <optional>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/aulm/aulm_metrics.h"
#include "service/base/status_details.h"
#include "service/messaging/message_record.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_http_transport.h"
#include "tests/support/fake_state_store.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;

constexpr char kSession[] = "11111111-1111-4111-8111-111111111111";

class MessageHistoryTest : public testing::Test {
 protected:
  using Got = std::optional<absl::StatusOr<MessageHistory::Known>>;

  MessageHistoryTest() {
    AulmClient::Options options;
    options.account = "default";
    options.base_url = "http://127.0.0.1:9";
    options.api_key = [] { return ApiKey{"alm_sk_live_test", 1}; };
    auto client = AulmClient::Create(options, transport_, std::make_shared<AulmAddress>(), clock_, metrics_);
    accounts_.Add(*std::move(client), {});
    send_.session_id = kSession;
    send_.to = "+966512345678";
    send_.request_id = "order-1";
    send_.labels = {{"order", "4711"}};
    send_.answer_by = clock_.Now() + absl::Seconds(30);
    result_.message_id = "m-1";
    result_.session_id = kSession;
    result_.to = send_.to;
    result_.status = "sent";
  }

  RequestLedger::Claim Take() {
    std::optional<RequestLedger::Claim> claim;
    ledger_.Take(send_, "digest", "default",
                 [&](absl::StatusOr<std::optional<RequestLedger::Claim>> taken) { claim = **std::move(taken); });
    return *std::move(claim);
  }

  absl::StatusOr<MessageHistory::Known> ByRequest(const std::string& id, const std::string& caller = "") {
    Got got;
    history_.FindRequest(caller, id, [&](absl::StatusOr<MessageHistory::Known> known) { got = std::move(known); });
    return *std::move(got);
  }

  absl::StatusOr<MessageHistory::Known> ByMessage(const std::string& id, const std::string& caller = "") {
    Got got;
    history_.FindMessage(caller, kSession, id,
                         [&](absl::StatusOr<MessageHistory::Known> known) { got = std::move(known); });
    return *std::move(got);
  }

  FakeClock clock_;
  FakeStateStore store_{clock_};
  FakeHttpTransport transport_;
  prometheus::Registry registry_;
  AulmMetrics metrics_{registry_};
  AccountDirectory accounts_;
  RequestLedger ledger_{{.owner = "replica-1", .message_retention = absl::Hours(72)}, store_, clock_, registry_};
  const std::shared_ptr<StatusIndex> statuses_ = StatusIndex::Create(absl::Hours(72), store_, clock_);
  MessageHistory history_{accounts_, ledger_, *statuses_, store_};
  Send send_;
  SendResult result_;
};

TEST_F(MessageHistoryTest, SendUnderWayIsInFlight) {
  Take();

  const auto known = ByRequest("order-1");

  ASSERT_TRUE(known.ok());
  EXPECT_EQ(known->send.outcome(), v1::SEND_OUTCOME_IN_FLIGHT);
  EXPECT_EQ(known->send.labels().at("order"), "4711");
  EXPECT_FALSE(known->send.has_message());
  EXPECT_FALSE(known->send.has_settled_time());
}

TEST_F(MessageHistoryTest, SentMessageIsFoundByEitherKeyWithItsStatuses) {
  ledger_.Settle(send_, Take(), result_, [] {});
  statuses_->Add(MessageKey("default", kSession, "m-1"), 12);
  statuses_->Add(MessageKey("default", kSession, "m-1"), 7);

  for (const auto& known : {ByRequest("order-1"), ByMessage("m-1")}) {
    ASSERT_TRUE(known.ok()) << known.status();
    EXPECT_EQ(known->send.outcome(), v1::SEND_OUTCOME_SENT);
    EXPECT_EQ(known->send.message().message_id(), "m-1");
    EXPECT_EQ(known->send.message().status(), v1::MESSAGE_STATUS_SENT);
    EXPECT_EQ(known->send.message().request_id(), "order-1");
    EXPECT_EQ(known->send.request_id(), "order-1");
    EXPECT_EQ(known->send.settled_time().seconds(), absl::ToUnixSeconds(clock_.Now()));
    EXPECT_THAT(known->status_sequences, ElementsAre(7, 12));
  }
}

TEST_F(MessageHistoryTest, UnknownOutcomeHasNoMessage) {
  ledger_.Settle(send_, Take(), GatewayError(GatewayReason::kSendOutcomeUnknown, "lost"), [] {});

  const auto known = ByRequest("order-1");

  ASSERT_TRUE(known.ok());
  EXPECT_EQ(known->send.outcome(), v1::SEND_OUTCOME_UNKNOWN);
  EXPECT_FALSE(known->send.has_message());
}

TEST_F(MessageHistoryTest, GeneratedIdIsFoundToo) {
  ledger_.RecordGenerated(send_, "default", result_);

  EXPECT_TRUE(ByRequest("order-1").ok());
  EXPECT_TRUE(ByMessage("m-1").ok());
}

TEST_F(MessageHistoryTest, SendsOfOtherCallersAreNotFound) {
  ledger_.RecordGenerated(send_, "default", result_);

  EXPECT_TRUE(HasReason(ByRequest("order-1", "stranger").status(), GatewayReason::kMessageNotFound));
  EXPECT_TRUE(HasReason(ByMessage("m-1", "stranger").status(), GatewayReason::kMessageNotFound));
}

TEST_F(MessageHistoryTest, MessageOutlivesItsRequestId) {
  ledger_.Settle(send_, Take(), result_, [] {});
  clock_.Advance(absl::Hours(25));

  EXPECT_TRUE(HasReason(ByRequest("order-1").status(), GatewayReason::kMessageNotFound));
  EXPECT_TRUE(ByMessage("m-1").ok());
}

TEST_F(MessageHistoryTest, StoreThatFailsIsUnavailable) {
  store_.FailWith(absl::UnavailableError("down"));

  EXPECT_TRUE(HasReason(ByRequest("order-1").status(), GatewayReason::kStoreUnavailable));
  EXPECT_TRUE(HasReason(ByMessage("m-1").status(), GatewayReason::kStoreUnavailable));
}

}  // namespace
}  // namespace aulm::gateway
