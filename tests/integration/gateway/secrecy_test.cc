// Words that stand in every secret, every body and every phone number, driven through the gateway on every path (taken,
// refused, broken, crashed and started again, with the log at its most talkative), are found nowhere that an operator,
// a monitoring system or another caller looks.
#include <gmock/gmock.h>
#include <openssl/sha.h>

#include <algorithm>
#include <csignal>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "tests/integration/gateway/gateway_fixture.h"
#include "tests/support/https_client.h"
#include "tests/support/projected_secret.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/test_certificate_pem.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

constexpr char kKey[] = "alm_sk_live_canarykey";
constexpr char kToken[] = "canarytoken-of-the-shop-that-is-long-enough";
constexpr char kLaterKey[] = "alm_sk_live_laterkey";
constexpr char kSecret[] = "canarysecret";
constexpr char kPhone[] = "+966598765432";
constexpr char kNoFileText[] = "canaryfile\ncanaryfile2";

// Whether the memory of a process holds these bytes anywhere.
bool IsInMemory(pid_t process, const std::string& bytes) {
  std::ifstream maps(absl::StrCat("/proc/", process, "/maps"));
  std::ifstream memory(absl::StrCat("/proc/", process, "/mem"), std::ios::binary);
  EXPECT_TRUE(maps.is_open() && memory.is_open());
  for (std::string line; std::getline(maps, line);) {
    uint64_t begin = 0;
    uint64_t end = 0;
    const std::pair<std::string, std::string> parts = absl::StrSplit(line, absl::MaxSplits(' ', 1));
    const std::pair<std::string, std::string> range = absl::StrSplit(parts.first, '-');
    if (parts.second.front() != 'r' || !absl::SimpleHexAtoi(range.first, &begin) ||
        !absl::SimpleHexAtoi(range.second, &end)) {
      continue;
    }
    std::string content(std::min<uint64_t>(end - begin, 64 << 20), '\0');  // sanitizers reserve terabytes
    memory.clear();
    memory.seekg(static_cast<std::streamoff>(begin));
    memory.read(content.data(), static_cast<std::streamsize>(content.size()));
    if (absl::StrContains(content, bytes)) return true;
  }
  return false;
}

std::string Sha256(absl::string_view text) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), sizeof(digest)));
}

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class SecrecyTest : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    ASSERT_TRUE(simulator_->control().SetKey(kKey, "active").ok());
    secrets_.emplace(folder_ + "/secrets", Good());
    const auto path = [this](const char* name) { return absl::StrCat("\"", secrets_->Path(name), "\""); };
    config_ = folder_ + "/config.json";
    std::ofstream(config_) << R"({"log": {"level": "trace"}, "listeners": {"admin": {"tls": {"certificate_file": )"
                           << path("tls.crt") << R"(, "key_file": )" << path("tls.key")
                           << R"(}}}, "pacing": {"off": true}, "accounts": [{"name": "default", "api_key_file": )"
                           << path("api_key") << R"(, "webhook_secret_files": [)" << path("webhook")
                           << R"(]}], "callers": [{"name": "shop", "methods": ["*"], "accounts": ["*"],)"
                           << R"( "session_ids": ["*"], "token_sha256_file": )" << path("token") << "}]}";
    options_.environment = {{"GATEWAY_CONFIG", config_}, {"AULM_API_KEY", ""}, {"AULM_WEBHOOK_SECRET", ""}};
  }

  ProjectedSecret::Files Good() const {
    return {{"api_key", kKey},
            {"webhook", kSecret},
            {"token", Sha256(kToken)},
            {"tls.crt", pem_.certificate},
            {"tls.key", pem_.key}};
  }

  // A part of the TLS key's secret bytes, as they stand in its file: what comes before them is the same for every key.
  std::string KeyCanary() const {
    const std::vector<std::string> lines = absl::StrSplit(pem_.key, '\n');
    return lines.at(1).substr(48);
  }

  void Hide(std::string canary) { canaries_.push_back(std::move(canary)); }

  // What the gateway has said: nothing hidden is in it.
  void Examine(const std::string& where, const std::string& text) {
    for (const std::string& canary : canaries_) {
      const size_t at = text.find(canary);
      EXPECT_EQ(at, std::string::npos) << where << " shows " << canary << ": …"
                                       << text.substr(at < 200 ? 0 : at - 200, 400) << "…";
    }
  }

  void Examine(const grpc::Status& status) {
    EXPECT_FALSE(status.ok());
    Examine("a status", absl::StrCat(status.error_message(), "\n", status.error_details()));
  }

  void ExamineWhatCanBeAsked() {
    HttpsClient client(pem_.certificate);
    for (const char* page :
         {"/", "/configuration", "/parked", "/livez", "/readyz?verbose", "/metrics", "/canaryquery"}) {
      const auto answer = client.Get(absl::StrCat("https://", gateway_->admin_address(), page));
      ASSERT_TRUE(answer.ok()) << answer.status();
      Examine(page, answer->body);
    }
    const std::string process = absl::StrCat("/proc/", gateway_->process().pid());
    Examine("the command line", ReadAll(process + "/cmdline"));
    Examine("the environment", ReadAll(process + "/environ"));
    Examine("the name", ReadAll(process + "/comm"));
  }

  grpc::Status Send(const v1::SendTextRequest& request, const std::string& token = kToken) {
    grpc::ClientContext context;
    Begin(context, token);
    v1::SendTextResponse response;
    return messaging_->SendText(&context, request, &response);
  }

  static void Begin(grpc::ClientContext& context, const std::string& token = kToken) {
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer " + token);
  }

  v1::SendTextRequest CanaryText() {
    v1::SendTextRequest request = Text(kPhone, "canarybody");
    (*request.mutable_labels())["order"] = "canarylabel";
    return request;
  }

  void DriveSends() {
    EXPECT_TRUE(Send(CanaryText()).ok());
    Examine(Send(CanaryText(), "canarytoken of nobody"));
    for (const char* code : {"invalid_request", "daily_quota_exceeded", "messaging_service_timeout"}) {
      simulator::Fault fault;
      fault.code = code;
      fault.message = absl::StrCat("canaryanswer about ", kPhone);
      ASSERT_TRUE(simulator_->control().QueueFault(fault).ok());
      const grpc::Status status = Send(CanaryText());
      // What aulm says goes to the caller, whose message it is, and to nobody else.
      EXPECT_FALSE(status.ok());
    }
    simulator::Fault broken;
    broken.raw = "canaryanswer\r\n\r\n";
    ASSERT_TRUE(simulator_->control().QueueFault(broken).ok());
    Examine(Send(CanaryText()));
    v1::SendTextRequest bad = CanaryText();
    bad.set_to("966598765432x");
    Examine(Send(bad));
    bad = CanaryText();
    bad.set_session_id("no session");
    Examine(Send(bad));
    bad = CanaryText();
    bad.set_body(absl::StrCat("canarybody", std::string(5000, 'x')));
    Examine(Send(bad));
    DriveImages();
  }

  void DriveImages() {
    v1::SendImageRequest image;
    image.set_session_id(simulator::kConnectedSession);
    image.set_to(kPhone);
    image.set_caption("canarycaption");
    for (const char* url : {"https://cdn.example/canaryurl.png", "http://cdn.example/canaryurl.png",
                            "https://canaryuser:canarypassword@cdn.example/"}) {
      image.set_image_url(url);
      grpc::ClientContext context;
      Begin(context);
      v1::SendImageResponse response;
      const grpc::Status status = messaging_->SendImage(&context, image, &response);
      if (!status.ok()) Examine(status);
    }
    image.mutable_image_data()->set_data("\x89PNG\r\n\x1a\n canaryimage");
    grpc::ClientContext context;
    Begin(context);
    v1::SendImageResponse response;
    EXPECT_TRUE(messaging_->SendImage(&context, image, &response).ok());
  }

  void Raw(const std::string& bytes) {
    RawHttpClient client(gateway_->webhook_address());
    client.Send(bytes);
    client.EndSending();
    const RawReply reply = client.ReadReply();
    Examine("an answer to a webhook", reply.body);
  }

  std::string Delivery(const std::string& signature, const std::string& body, const std::string& more = "") const {
    return absl::StrCat("POST /webhooks/aulm HTTP/1.1\r\nHost: canaryhost\r\nX-Aulm-Signature: ", signature, "\r\n",
                        "X-Aulm-Delivery-Id: canary id\r\nCookie: canarycookie\r\n", more,
                        "Content-Length: ", body.size(), "\r\n\r\n", body);
  }

  void DriveWebhooks() {
    WebhookClient client(gateway_->webhook_address(), kSecret);
    const std::string good = InboundMessageBody("d1", simulator::kConnectedSession, kPhone, "canarybody");
    EXPECT_EQ(client.Post("inbound_message", "d1", good).value_or(0), 200);
    EXPECT_EQ(client.Post("inbound_message", "d1", good).value_or(0), 200) << "seen before";
    EXPECT_EQ(client
                  .Post("message_status", "d2",
                        MessageStatusBody("d2", simulator::kConnectedSession, "m", kPhone, "canarystatus"))
                  .value_or(0),
              200);
    EXPECT_EQ(client.Post("canaryevent", "d3", R"({"event":"canaryevent with words","delivery_id":"+966598765432"})")
                  .value_or(0),
              200);
    EXPECT_EQ(client.Post("inbound_message", "d4", "canarybody, no JSON").value_or(0), 200);
    EXPECT_EQ(WebhookClient(gateway_->webhook_address(), "canarywrong").Post("inbound_message", "d5", good).value_or(0),
              401);
    Raw(Delivery("canarysignature", good));
    Raw(Delivery(SignDelivery(kSecret, good), good, "X: canary\x01header\r\n"));
    Raw(Delivery("", good, "Transfer-Encoding: canarycoding\r\n"));
    Raw(Delivery("", std::string(2 << 20, 'c')));
    Raw("POST /webhooks/aulm/canaryaccount HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
    Raw("CANARYMETHOD /canarypath?canaryquery HTTP/1.1\r\nHost: a\r\n\r\n");
    Raw("canarynoise canarynoise\r\n\r\n");
    Raw(Delivery(SignDelivery(kSecret, good), good).substr(0, 300));
  }

  // Has the gateway read the state of aulm's sessions every second.
  void PollSessions() {
    const std::string config = ReadAll(config_);
    std::ofstream(config_) << absl::StrReplaceAll(
        config,
        {{R"("name": "default",)", absl::StrCat(R"("name": "default", "session_ids": [")", simulator::kConnectedSession,
                                                R"("], "session_poll_interval": "1s",)")}});
  }

  // A delivery with a canary in each field that its consumer gave up on, of the subscription "bot".
  void ParkOneEvent() {
    const auto subscriptions = v1::SubscriptionService::NewStub(channel_);
    {
      grpc::ClientContext context;
      Begin(context);
      v1::CreateSubscriptionRequest request;
      request.mutable_subscription()->set_name("bot");
      request.mutable_subscription()->set_mode(v1::SUBSCRIPTION_MODE_SHARED);
      v1::CreateSubscriptionResponse response;
      const grpc::Status status = subscriptions->CreateSubscription(&context, request, &response);
      ASSERT_TRUE(status.ok()) << status.error_message();
    }
    const std::string body = InboundMessageBody("p1", simulator::kConnectedSession, kPhone, "canarybody");
    ASSERT_EQ(WebhookClient(gateway_->webhook_address(), kSecret).Post("inbound_message", "p1", body).value_or(0), 200);
    grpc::ClientContext context;
    Begin(context);
    v1::SubscribeEventsRequest subscribe;
    subscribe.set_subscription("bot");
    subscribe.set_consumer_id("pod");
    const auto stream = events_->SubscribeEvents(&context, subscribe);
    v1::SubscribeEventsResponse frame;
    while (frame.event_batch().deliveries_size() == 0) ASSERT_TRUE(stream->Read(&frame));
    v1::AcknowledgeEventsRequest request;
    request.set_subscription("bot");
    v1::Settlement& settlement = *request.add_settlements();
    settlement.set_ack_token(frame.event_batch().deliveries(0).ack_token());
    settlement.set_action(v1::SETTLEMENT_ACTION_PARK);
    grpc::ClientContext acknowledging;
    Begin(acknowledging);
    v1::AcknowledgeEventsResponse response;
    ASSERT_TRUE(events_->AcknowledgeEvents(&acknowledging, request, &response).ok());
    context.TryCancel();
    stream->Finish();
  }

  const TestCertificatePem pem_ = MakeTestCertificate("admin");
  std::optional<ProjectedSecret> secrets_;
  std::string config_;
  std::vector<std::string> canaries_ = {"canary", "CANARY", absl::Base64Escape("canaryimage").substr(0, 12),
                                        "66598765432"};
};

TEST_F(SecrecyTest, NothingHiddenIsShownOnAnyPath) {
  Hide(KeyCanary());
  StartGateway();
  DriveSends();
  DriveWebhooks();
  ExamineWhatCanBeAsked();

  // Files that become unusable, whatever they hold.
  secrets_->Replace({{"api_key", kNoFileText},
                     {"webhook", ""},
                     {"token", kToken},
                     {"tls.crt", "canarycertificate"},
                     {"tls.key", pem_.key}});
  while (!absl::StrContains(ReadAll(folder_ + "/gateway.log"), "tls_files_refused_old_kept") ||
         !absl::StrContains(ReadAll(folder_ + "/gateway.log"), "\"secret\":\"api_key\"")) {
    EXPECT_TRUE(Send(CanaryText()).ok());
  }
  ExamineWhatCanBeAsked();
  Examine("the log", ReadAll(folder_ + "/gateway.log"));

  // A start that is refused for them.
  gateway_->process().Signal(SIGKILL);
  ASSERT_TRUE(gateway_->process().Wait(absl::Seconds(30)).ok());
  EXPECT_FALSE(GatewayProcess::Start(options_).ok());
  const std::string refused = ReadAll(folder_ + "/gateway.log");
  EXPECT_THAT(refused, testing::HasSubstr("accounts[0].api_key_file: "));
  Examine("the words of a refused start", refused);

  // After the crash: the store is read again, sends under way are unknown.
  secrets_->Replace(Good());
  StartGateway();
  DriveSends();
  DriveWebhooks();
  ExamineWhatCanBeAsked();
  gateway_->process().Signal(SIGTERM);
  EXPECT_EQ(gateway_->process().Wait(absl::Seconds(60)).value_or(-1), 0);
  const std::string log = ReadAll(folder_ + "/gateway.log");
  EXPECT_THAT(log, testing::HasSubstr("\"level\":\"debug\"")) << "the log is not as talkative as it could be";
  Examine("the log", log);
}

// The page's streams: the live tail of events, the overview with its sessions, the events that a consumer parked.
TEST_F(SecrecyTest, NothingHiddenIsOnThePageWhileItIsLive) {
  Hide(KeyCanary());
  PollSessions();
  simulator::Fault refusal;
  refusal.path = "/v1/sessions/";
  refusal.count = 0;
  refusal.code = "session_not_allowed";
  refusal.message = absl::StrCat("canaryanswer about ", kPhone);
  ASSERT_TRUE(simulator_->control().QueueFault(refusal).ok());
  StartGateway();
  ParkOneEvent();
  DriveSends();
  DriveWebhooks();
  HttpsClient client(pem_.certificate);
  const std::string page = absl::StrCat("https://", gateway_->admin_address());
  const auto shows = [](std::vector<std::string> words) {
    return [words = std::move(words)](absl::string_view text) {
      return std::all_of(words.begin(), words.end(),
                         [&](const std::string& word) { return absl::StrContains(text, word); });
    };
  };

  const auto live = client.GetUntil(page + "/live", shows({"SESSION_NOT_ALLOWED", "\"parked\":1"}));
  ASSERT_TRUE(live.ok()) << live.status();
  Examine("/live", live->body);

  auto tail = client.GetUntil(page + "/events", shows({"…32", "canarystatus", "canaryevent"}));
  ASSERT_TRUE(tail.ok()) << tail.status();
  // aulm's own words for a kind and for a status are what the tail is for.
  absl::StrReplaceAll({{"canarystatus", ""}, {"canaryevent with words", ""}}, &tail->body);
  Examine("/events", tail->body);
  const auto refused = client.Get(page + "/events?type=canaryfilter&id=+966598765432");
  ASSERT_TRUE(refused.ok()) << refused.status();
  Examine("a refused filter", refused->body);

  const auto parked = client.Get(page + "/parked?subscription=shop%2Fbot");
  ASSERT_TRUE(parked.ok()) << parked.status();
  EXPECT_THAT(parked->body, testing::HasSubstr("cursor:"));
  Examine("/parked", parked->body);
  Examine("the log", ReadAll(folder_ + "/gateway.log"));
}

TEST_F(SecrecyTest, SecretsThatWereReplacedAreNoLongerInMemory) {
  StartGateway();
  const std::string body = InboundMessageBody("d1", simulator::kConnectedSession, kPhone, "hello");
  ASSERT_EQ(WebhookClient(gateway_->webhook_address(), kSecret).Post("inbound_message", "d1", body).value_or(0), 200);
  const pid_t process = gateway_->process().pid();
  const std::vector<std::string> old = {kKey, kSecret, KeyCanary()};
  for (const std::string& secret : old) ASSERT_TRUE(IsInMemory(process, secret)) << "the scan finds nothing";

  const TestCertificatePem fresh = MakeTestCertificate("fresh");
  secrets_->Replace({{"api_key", kLaterKey},
                     {"webhook", "later"},
                     {"token", Sha256("later")},
                     {"tls.crt", fresh.certificate},
                     {"tls.key", fresh.key}});
  const absl::Time limit = absl::Now() + absl::Seconds(60);  // far beyond what it takes
  for (const std::string& secret : old) {
    while (IsInMemory(process, secret)) ASSERT_LT(absl::Now(), limit) << secret << " is still there";
  }
  EXPECT_TRUE(IsInMemory(process, kLaterKey));
}

TEST_F(SecrecyTest, SettingsAreShownWithoutTheirSecrets) {
  Hide(KeyCanary());
  auto child = ChildProcess::Start({BinaryPath("aulm-gateway"), "--print-config", "--config", config_}, {});
  ASSERT_TRUE(child.ok()) << child.status();
  std::string shown;
  for (auto line = child->ReadLine(absl::Seconds(30)); line.ok(); line = child->ReadLine(absl::Seconds(30))) {
    absl::StrAppend(&shown, *line, "\n");
  }
  EXPECT_THAT(shown, testing::HasSubstr(secrets_->Path("api_key")));
  Examine("--print-config", shown);
}

}  // namespace
}  // namespace aulm::gateway
