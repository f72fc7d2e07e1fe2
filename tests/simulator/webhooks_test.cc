// Webhooks from a real simulator to a real endpoint: headers, signature, retries, auto-disable, what follows a send.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/evp.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "tests/simulator/simulator_process.h"
#include "tests/simulator/test_client.h"
#include "tests/simulator/uuid.h"
#include "tests/simulator/webhook_sink.h"

namespace aulm::simulator {
namespace {

namespace json = boost::json;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::MatchesRegex;
using ::testing::UnorderedElementsAre;
using Received = WebhookSink::Received;

// HMAC as RFC 2104 defines it over plain SHA-256: independent of the code that signs.
std::string ExpectedSignature(std::string key, absl::string_view body) {
  const auto sha256 = [](const std::string& bytes) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int length = 0;
    EVP_Digest(bytes.data(), bytes.size(), digest, &length, EVP_sha256(), nullptr);
    return std::string(reinterpret_cast<const char*>(digest), length);
  };
  key.resize(64, '\0');
  std::string inner = key;
  std::string outer = key;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  return absl::StrCat("sha256=", absl::BytesToHexString(sha256(outer + sha256(absl::StrCat(inner, body)))));
}

class WebhooksTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> arguments = {}) {
    arguments.push_back(absl::StrCat("--webhook-url=", sink_.url()));
    arguments.push_back("--retry-base-ms=5");
    arguments.push_back("--status-delay-ms=5");
    arguments.push_back("--echo-delay-ms=20");
    auto started = SimulatorProcess::Start(std::move(arguments));
    ASSERT_TRUE(started.ok()) << started.status();
    simulator_ = *std::move(started);
    client_ = std::make_unique<TestClient>(simulator_->address());
  }

  const ControlClient& control() { return simulator_->control(); }

  std::string SendInbound() { return *control().SendInbound(InboundMessage{}); }

  // The one delivery there is, once it is done with.
  Delivery OnlyDelivery() {
    const auto deliveries = control().WaitForDeliveries(1);
    EXPECT_TRUE(deliveries.ok()) << deliveries.status();
    return deliveries.ok() && deliveries->size() == 1 ? deliveries->front() : Delivery{};
  }

  WebhookSink sink_;
  std::unique_ptr<SimulatorProcess> simulator_;
  std::unique_ptr<TestClient> client_;
};

std::string Field(const Received& received, const char* name) {
  return std::string(json::parse(received.body).at(name).as_string());
}

std::vector<std::string> Names(const json::value& object) {
  std::vector<std::string> names;
  for (const auto& field : object.as_object()) names.emplace_back(field.key());
  return names;
}

constexpr char kIsoTime[] = "20[0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9]\\.[0-9][0-9][0-9]Z";

TEST_F(WebhooksTest, InboundMessagesHaveTheDocumentedBody) {
  Start();
  InboundMessage message;
  message.from = "+15551234567";
  message.body = "hi \"there\" \xF0\x9F\x98\x80";
  const std::string delivery_id = *control().SendInbound(message);
  const Received received = sink_.WaitFor(1).at(0);
  const json::value body = json::parse(received.body);
  EXPECT_THAT(Names(body),
              ElementsAre("event", "delivery_id", "session_id", "from", "message_id", "type", "body", "received_at"));
  EXPECT_EQ(body.at("event"), "inbound_message");
  EXPECT_EQ(body.at("delivery_id"), delivery_id.c_str());
  EXPECT_EQ(body.at("session_id"), kConnectedSession);
  EXPECT_EQ(body.at("from"), "+15551234567");
  EXPECT_EQ(body.at("type"), "text");
  EXPECT_EQ(body.at("body"), message.body.c_str());
  EXPECT_THAT(Field(received, "received_at"), MatchesRegex(kIsoTime));
}

TEST_F(WebhooksTest, MessageStatusesHaveTheDocumentedBody) {
  Start();
  MessageStatus status;
  status.status = "played";
  status.to = "+15551234567";
  status.message_id = "3EB0";
  ASSERT_TRUE(control().SendStatus(status).ok());
  const Received received = sink_.WaitFor(1).at(0);
  const json::value body = json::parse(received.body);
  EXPECT_THAT(Names(body),
              ElementsAre("event", "delivery_id", "session_id", "message_id", "status", "to", "occurred_at"));
  EXPECT_EQ(body.at("event"), "message_status");
  EXPECT_EQ(body.at("message_id"), "3EB0");
  EXPECT_EQ(body.at("status"), "played");
  EXPECT_EQ(body.at("to"), "+15551234567");
  EXPECT_THAT(Field(received, "occurred_at"), MatchesRegex(kIsoTime));
}

TEST_F(WebhooksTest, EveryDeliveryCarriesTheDocumentedHeaders) {
  Start();
  const std::string delivery_id = SendInbound();
  const Received received = sink_.WaitFor(1).at(0);
  EXPECT_EQ(received.headers.at(":method"), "POST");
  EXPECT_EQ(received.headers.at(":target"), "/hook?a=b");
  EXPECT_EQ(received.headers.at("content-type"), "application/json");
  EXPECT_EQ(received.headers.at("x-aulm-event"), "inbound_message");
  EXPECT_EQ(received.headers.at("x-aulm-delivery-id"), delivery_id);
  EXPECT_TRUE(IsUuid(delivery_id));
  EXPECT_EQ(received.headers.at("x-aulm-attempt"), "1");
  EXPECT_EQ(received.headers.at("x-aulm-signature"), ExpectedSignature(kWebhookSecret, received.body));
}

TEST_F(WebhooksTest, ANewSecretSignsLaterDeliveries) {
  Start();
  ASSERT_TRUE(control().SetWebhookSecret("another").ok());
  SendInbound();
  const Received received = sink_.WaitFor(1).at(0);
  EXPECT_EQ(received.headers.at("x-aulm-signature"), ExpectedSignature("another", received.body));
}

TEST_F(WebhooksTest, TestDeliveriesSaySo) {
  Start();
  ASSERT_TRUE(control().SendTest().ok());
  EXPECT_EQ(json::parse(sink_.WaitFor(1).at(0).body).at("test"), true);
}

TEST_F(WebhooksTest, AnyTwoHundredIsSuccess) {
  Start();
  sink_.AnswerNext({StatusAnswer(204)});
  SendInbound();
  const Delivery delivery = OnlyDelivery();
  EXPECT_EQ(delivery.state, Delivery::State::kDelivered);
  EXPECT_EQ(delivery.attempts.size(), 1u);
}

TEST_F(WebhooksTest, FourHundredsAreNotRetried) {
  Start();
  sink_.AnswerNext({StatusAnswer(401)});
  SendInbound();
  const Delivery delivery = OnlyDelivery();
  EXPECT_EQ(delivery.state, Delivery::State::kFailed);
  EXPECT_EQ(delivery.attempts.size(), 1u);
  EXPECT_EQ(delivery.attempts.at(0).status, 401);
}

TEST_F(WebhooksTest, FiveHundredsAreRetriedUnderTheSameIdWithBackoff) {
  Start({"--retry-max-ms=1000"});
  sink_.AnswerNext({StatusAnswer(500), StatusAnswer(503), StatusAnswer(429)});
  const std::string delivery_id = SendInbound();
  const std::vector<Received> received = sink_.WaitFor(4);
  ASSERT_EQ(received.size(), 4u);
  for (size_t i = 0; i < received.size(); ++i) {
    EXPECT_EQ(received[i].headers.at("x-aulm-delivery-id"), delivery_id);
    EXPECT_EQ(received[i].headers.at("x-aulm-attempt"), absl::StrCat(i + 1));
    EXPECT_EQ(received[i].body, received[0].body);
  }
  EXPECT_GE(received[1].arrived_us - received[0].arrived_us, 5'000);
  EXPECT_GE(received[2].arrived_us - received[1].arrived_us, 10'000);
  EXPECT_GE(received[3].arrived_us - received[2].arrived_us, 20'000);
  EXPECT_EQ(OnlyDelivery().state, Delivery::State::kDelivered);
}

TEST_F(WebhooksTest, RetryAfterOf429IsHonoured) {
  Start();
  sink_.AnswerNext({StatusAnswer(429, "1")});
  SendInbound();
  const std::vector<Received> received = sink_.WaitFor(2);
  ASSERT_EQ(received.size(), 2u);
  EXPECT_GE(received[1].arrived_us - received[0].arrived_us, 1'000'000);
}

TEST_F(WebhooksTest, ADeliveryIsGivenUpAfterItsAttempts) {
  Start({"--retry-attempts=3"});
  sink_.AnswerAlways(500);
  SendInbound();
  const Delivery delivery = OnlyDelivery();
  EXPECT_EQ(delivery.state, Delivery::State::kFailed);
  EXPECT_EQ(delivery.attempts.size(), 3u);
}

TEST_F(WebhooksTest, ARefusedConnectionIsRetried) {
  Start({"--retry-attempts=2"});
  std::string url;
  {
    const WebhookSink gone;
    url = gone.url();
  }
  ASSERT_TRUE(control().SetWebhook(url).ok());
  SendInbound();
  const Delivery delivery = OnlyDelivery();
  ASSERT_EQ(delivery.attempts.size(), 2u);
  EXPECT_EQ(delivery.attempts.at(0).status, 0);
  EXPECT_THAT(delivery.attempts.at(0).error, ::testing::StartsWith("connect: "));
}

TEST_F(WebhooksTest, AnEndpointThatDoesNotAnswerInTimeIsRetried) {
  Start({"--webhook-timeout-ms=30"});
  HttpAnswer slow = StatusAnswer(200);
  slow.delay = absl::Milliseconds(300);
  sink_.AnswerNext({slow});
  SendInbound();
  const std::vector<Received> received = sink_.WaitFor(2);
  ASSERT_EQ(received.size(), 2u);
  EXPECT_EQ(received[1].headers.at("x-aulm-attempt"), "2");
}

TEST_F(WebhooksTest, AnEndpointIsDisabledAfterFailuresInARow) {
  Start({"--auto-disable-after=3", "--webhook-concurrency=1"});
  sink_.AnswerNext({StatusAnswer(400), StatusAnswer(404), StatusAnswer(200), StatusAnswer(400), StatusAnswer(401),
                    StatusAnswer(410)});
  for (int i = 0; i < 5; ++i) SendInbound();
  ASSERT_TRUE(control().WaitForDeliveries(5).ok());
  EXPECT_TRUE(*control().IsWebhookEnabled());  // the 200 broke the row
  SendInbound();
  ASSERT_TRUE(control().WaitForDeliveries(6).ok());
  EXPECT_FALSE(*control().IsWebhookEnabled());
}

TEST_F(WebhooksTest, ADisabledEndpointGetsNothingUntilItIsEnabledAgain) {
  Start();
  ASSERT_TRUE(control().EnableWebhook(false).ok());
  SendInbound();
  EXPECT_EQ(OnlyDelivery().state, Delivery::State::kDropped);
  ASSERT_TRUE(control().EnableWebhook().ok());
  const std::string delivery_id = SendInbound();
  EXPECT_EQ(sink_.WaitFor(1).at(0).headers.at("x-aulm-delivery-id"), delivery_id);
}

TEST_F(WebhooksTest, ConnectionsAreKeptAlive) {
  Start({"--webhook-concurrency=1"});
  for (int i = 0; i < 5; ++i) SendInbound();
  const std::vector<Received> received = sink_.WaitFor(5);
  ASSERT_EQ(received.size(), 5u);
  for (const Received& one : received) EXPECT_EQ(one.connection_id, received[0].connection_id);
}

TEST_F(WebhooksTest, SeveralDeliveriesAreInFlight) {
  Start({"--webhook-concurrency=4"});
  HttpAnswer slow = StatusAnswer(200);
  slow.delay = absl::Milliseconds(300);
  sink_.AnswerNext({slow, slow, slow});
  client_->SendText(TextTo("+966512345678"));  // three statuses, a few milliseconds apart
  const std::vector<Received> received = sink_.WaitFor(3);
  ASSERT_EQ(received.size(), 3u);
  std::set<uint64_t> connections;
  for (const Received& one : received) connections.insert(one.connection_id);
  EXPECT_EQ(connections.size(), 3u);
}

TEST_F(WebhooksTest, AKeptAliveConnectionThatDiedIsReplacedUnseen) {
  Start({"--webhook-concurrency=1"});
  SendInbound();
  ASSERT_TRUE(control().WaitForDeliveries(1).ok());
  HttpAnswer dead;
  dead.ending = HttpAnswer::Ending::kUnanswered;
  sink_.AnswerNext({dead});
  SendInbound();
  const auto deliveries = control().WaitForDeliveries(2);
  ASSERT_TRUE(deliveries.ok()) << deliveries.status();
  EXPECT_EQ(deliveries->at(1).attempts.size(), 1u);
  EXPECT_EQ(sink_.WaitFor(3).size(), 3u);
}

TEST_F(WebhooksTest, StatusesFollowASend) {
  Start();
  const json::value sent = client_->SendText(TextTo("+966512345678"), kLiveKey).json();
  const std::vector<Received> received = sink_.WaitFor(3);
  ASSERT_EQ(received.size(), 3u);
  std::vector<std::string> statuses;
  for (const Received& one : received) {
    EXPECT_EQ(Field(one, "message_id"), std::string(sent.at("data").at("message_id").as_string()));
    EXPECT_EQ(Field(one, "to"), "+966512345678");
    statuses.push_back(Field(one, "status"));
  }
  EXPECT_THAT(statuses, ElementsAre("sent", "delivered", "read"));
}

TEST_F(WebhooksTest, TheRecipientAnswersInEchoMode) {
  Start({"--echo", "--statuses="});
  client_->SendText(TextTo("+966512345678", "ping"));
  const Received received = sink_.WaitFor(1).at(0);
  EXPECT_EQ(received.headers.at("x-aulm-event"), "inbound_message");
  EXPECT_EQ(Field(received, "from"), "+966512345678");
  EXPECT_EQ(Field(received, "type"), "text");
  EXPECT_EQ(Field(received, "body"), "echo: ping");
}

TEST_F(WebhooksTest, MagicNumbersChooseWhatFollows) {
  Start({"--webhook-concurrency=1"});
  const auto statuses_of = [this](const char* number, size_t count) {
    EXPECT_TRUE(control().ClearDeliveries().ok());
    EXPECT_EQ(client_->SendText(TextTo(number)).status, 201);
    const auto deliveries = control().WaitForDeliveries(count);
    EXPECT_TRUE(deliveries.ok()) << deliveries.status();
    std::vector<std::string> words;
    for (const Delivery& delivery : *deliveries) {
      const json::value body = json::parse(delivery.body);
      words.emplace_back(body.at(body.as_object().contains("status") ? "status" : "body").as_string());
    }
    return words;
  };
  EXPECT_THAT(statuses_of("+999000000001", 4), UnorderedElementsAre("sent", "delivered", "read", "echo: hi"));
  EXPECT_THAT(statuses_of("+999000000002", 2), ElementsAre("sent", "failed"));
  EXPECT_THAT(statuses_of("+999000000003", 4), ElementsAre("sent", "delivered", "read", "played"));
}

TEST_F(WebhooksTest, AnErrorThatIsALieIsFollowedByStatuses) {
  Start();
  EXPECT_EQ(client_->SendText(TextTo("+999000000008")).status, 504);
  EXPECT_EQ(sink_.WaitFor(3).size(), 3u);
}

TEST_F(WebhooksTest, AnyBytesCanBeSent) {
  Start();
  Delivery raw;
  raw.event = "brand_new_event";
  raw.delivery_id = "not-a-uuid";
  raw.body = std::string("\xff\x00{", 3);
  raw.extra_headers = {{"traceparent", "00-1-2-3"}};
  raw.next_attempt = 7;
  ASSERT_TRUE(control().SendRaw(raw).ok());
  const Received received = sink_.WaitFor(1).at(0);
  EXPECT_EQ(received.body, raw.body);
  EXPECT_EQ(received.headers.at("x-aulm-event"), "brand_new_event");
  EXPECT_EQ(received.headers.at("x-aulm-delivery-id"), "not-a-uuid");
  EXPECT_EQ(received.headers.at("x-aulm-attempt"), "7");
  EXPECT_EQ(received.headers.at("traceparent"), "00-1-2-3");
  EXPECT_EQ(received.headers.at("x-aulm-signature"), ExpectedSignature(kWebhookSecret, raw.body));
  EXPECT_EQ(OnlyDelivery().body, raw.body);
}

TEST_F(WebhooksTest, HeadersCanBeLeftOutOrForged) {
  Start({"--webhook-concurrency=1"});
  Delivery bare;
  bare.body = "{}";
  bare.signature = "";
  ASSERT_TRUE(control().SendRaw(bare).ok());
  Delivery forged;
  forged.body = "{}";
  forged.event = "inbound_message";
  forged.signature = "sha256=00";
  ASSERT_TRUE(control().SendRaw(forged).ok());
  const std::vector<Received> received = sink_.WaitFor(2);
  ASSERT_EQ(received.size(), 2u);
  for (const char* header : {"x-aulm-event", "x-aulm-delivery-id", "x-aulm-signature"}) {
    EXPECT_EQ(received[0].headers.count(header), 0u) << header;
  }
  EXPECT_EQ(received[1].headers.at("x-aulm-signature"), "sha256=00");
}

TEST_F(WebhooksTest, EachAccountHasItsOwnEndpoint) {
  WebhookSink second;
  Start({absl::StrCat("--webhook-url=second=", second.url()), "--webhook-secret=second=other"});
  ASSERT_TRUE(control().SendInbound(InboundMessage{}, "second").ok());
  const Received received = second.WaitFor(1).at(0);
  EXPECT_EQ(received.headers.at("x-aulm-signature"), ExpectedSignature("other", received.body));
  EXPECT_EQ(control().Deliveries("second")->size(), 1u);
  EXPECT_TRUE(control().Deliveries("default")->empty());
}

TEST_F(WebhooksTest, DuplicatesByChanceKeepTheirId) {
  Start({"--fault-duplicate=1"});
  const std::string delivery_id = SendInbound();
  const std::vector<Received> received = sink_.WaitFor(2);
  ASSERT_EQ(received.size(), 2u);
  EXPECT_EQ(received[1].headers.at("x-aulm-delivery-id"), delivery_id);
  EXPECT_EQ(received[1].headers.at("x-aulm-attempt"), "2");
  EXPECT_EQ(OnlyDelivery().attempts.size(), 2u);
}

TEST_F(WebhooksTest, ReorderingByChanceLosesNothing) {
  Start({"--fault-reorder=0.5", "--webhook-concurrency=1", "--seed=3"});
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(SendInbound());
  std::vector<std::string> arrived;
  for (const Received& received : sink_.WaitFor(20)) arrived.push_back(received.headers.at("x-aulm-delivery-id"));
  EXPECT_NE(arrived, ids);
  EXPECT_THAT(arrived, ::testing::UnorderedElementsAreArray(ids));
}

TEST_F(WebhooksTest, ABlastDeliversEveryWebhookOnce) {
  Start();
  BlastRequest request;
  request.count = 500;
  request.concurrency = 8;
  request.keep_ids = true;
  ASSERT_TRUE(control().StartBlast(request).ok());
  const auto report = control().WaitForBlast();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->delivered, 500);
  EXPECT_EQ(report->sent, 500);
  EXPECT_GT(report->delivered_per_second, 0);
  std::vector<std::string> arrived;
  for (const Received& received : sink_.WaitFor(500)) {
    arrived.push_back(received.headers.at("x-aulm-delivery-id"));
    EXPECT_EQ(received.headers.at("x-aulm-signature"), ExpectedSignature(kWebhookSecret, received.body));
  }
  EXPECT_THAT(*control().DeliveredIds(), ::testing::UnorderedElementsAreArray(arrived));
}

TEST_F(WebhooksTest, AnOpenLoopHoldsBackWhatFindsNoConnection) {
  Start();
  BlastRequest request;
  request.count = 200;
  request.concurrency = 1;
  request.rate_per_second = 1'000'000;  // all of them are due before the first is answered
  request.open_loop = true;
  ASSERT_TRUE(control().StartBlast(request).ok());
  const auto report = control().WaitForBlast();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_GT(report->held, 0);
  EXPECT_EQ(report->delivered + report->held, 200);
}

TEST_F(WebhooksTest, ABlastCanRetryUntilItIsTaken) {
  Start();
  sink_.AnswerNext({StatusAnswer(503), StatusAnswer(429), StatusAnswer(500)});
  BlastRequest request;
  request.count = 10;
  request.concurrency = 1;
  request.retry = true;
  ASSERT_TRUE(control().StartBlast(request).ok());
  const auto report = control().WaitForBlast();
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->delivered, 10);
  EXPECT_EQ(report->sent, 13);
}

}  // namespace
}  // namespace aulm::simulator
