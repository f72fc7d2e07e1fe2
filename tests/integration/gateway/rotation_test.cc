// Every secret and certificate of the HTTP side changes while calls go on, as Kubernetes changes them: none fails.
#include <gmock/gmock.h>

#include <array>
#include <atomic>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/time/clock.h"
#include "tests/integration/gateway/gateway_fixture.h"
#include "tests/support/https_client.h"
#include "tests/support/projected_secret.h"
#include "tests/support/test_certificate_pem.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

constexpr char kFirstKey[] = "alm_sk_test_first";
constexpr char kSecondKey[] = "alm_sk_test_second";

class RotationTest : public GatewayTest {
 protected:
  void SetUp() override {
    GatewayTest::SetUp();
    for (const char* key : {kFirstKey, kSecondKey}) {
      ASSERT_TRUE(simulator_->control().SetKey(key, "active").ok());
    }
    secrets_.emplace(folder_ + "/secrets", Files(kFirstKey, "first\n", first_));
    const std::string config = folder_ + "/config.json";
    const auto path = [this](const char* name) { return absl::StrCat("\"", secrets_->Path(name), "\""); };
    const std::string tls =
        absl::StrCat(R"({"certificate_file": )", path("tls.crt"), R"(, "key_file": )", path("tls.key"), "}");
    std::ofstream(config) << R"({"listeners": {"webhook": {"tls": )" << tls << R"(}, "admin": {"tls": )" << tls
                          << R"(}}, "accounts": [{"name": "default", "api_key_file": )" << path("api_key")
                          << R"(, "webhook_secret_files": [)" << path("webhook") << "]}]}";
    options_.environment = {{"GATEWAY_CONFIG", config}, {"AULM_API_KEY", ""}, {"AULM_WEBHOOK_SECRET", ""}};
    auto gateway = GatewayProcess::Start(options_);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateway_.emplace(*std::move(gateway));
    messaging_ = v1::MessagingService::NewStub(
        grpc::CreateChannel(gateway_->grpc_address(), grpc::InsecureChannelCredentials()));
  }

  ProjectedSecret::Files Files(const std::string& key, const std::string& secrets,
                               const TestCertificatePem& certificate) const {
    return {{"api_key", key + "\n"},
            {"webhook", secrets},
            {"tls.crt", certificate.certificate},
            {"tls.key", certificate.key}};
  }

  int Deliver(HttpsClient& client, const std::string& secret) {
    const std::string id = absl::StrFormat("00000000-0000-4000-8000-%012d", ++deliveries_);
    const std::string body = InboundMessageBody(id, simulator::kConnectedSession, "+966512345678", "hello");
    const auto answer =
        client.Post(absl::StrCat("https://", gateway_->webhook_address(), "/webhooks/aulm"),
                    {{"x-aulm-event", "inbound_message"}, {"x-aulm-signature", SignDelivery(secret, body)}}, body);
    return answer.ok() ? answer->status : 0;
  }

  bool Send() {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SendTextResponse response;
    return messaging_->SendText(&context, Text("+966512345678"), &response).ok();
  }

  std::string Metrics() {
    HttpsClient client(first_.certificate + second_.certificate);
    const auto page = client.Get(absl::StrCat("https://", gateway_->admin_address(), "/metrics"));
    return page.ok() ? page->body : "";
  }

  // Calls go on until the test ends, one after the other in each of three threads; every one that fails is counted.
  void StartLoad() {
    const auto webhooks = [this](bool anew) {
      auto client = std::make_shared<HttpsClient>(first_.certificate + second_.certificate);
      if (anew) client->OpenAnew();
      return [this, client] { return Deliver(*client, second_secret_ ? "second" : "first") == 200; };
    };
    Repeat(0, webhooks(/*anew=*/false));
    Repeat(1, webhooks(/*anew=*/true));
    Repeat(2, [this] { return Send(); });
  }

  void Repeat(size_t thread, std::function<bool()> call) {
    load_.emplace_back([this, thread, call = std::move(call)] {
      while (!stopping_) {
        if (!call()) ++failed_;
        ++calls_[thread];
      }
    });
  }

  void TearDown() override {
    stopping_ = true;
    for (std::thread& thread : load_) thread.join();
  }

  template <typename Condition>
  static bool Await(const Condition& condition) {
    const absl::Time limit = absl::Now() + absl::Seconds(60);  // far beyond what it takes
    while (!condition()) {
      if (absl::Now() > limit) return false;
      std::this_thread::yield();
    }
    return true;
  }

  // Until every thread has made some more calls from start to end.
  void AwaitCalls() {
    for (std::atomic<int>& calls : calls_) {
      const int target = calls + 6;
      EXPECT_TRUE(Await([&] { return calls >= target; }));
    }
  }

  bool ShowsOnly(const TestCertificatePem& certificate, const std::string& address) const {
    HttpsClient client(certificate.certificate);
    return client.Get(absl::StrCat("https://", address, "/")).ok();
  }

  bool KeyWasUsed(const std::string& key) {
    const auto requests = simulator_->control().Requests();
    if (!requests.ok()) return false;
    for (const auto& request : *requests) {
      for (const auto& [name, value] : request.headers) {
        if (absl::EqualsIgnoreCase(name, "authorization") && value == "Bearer " + key) return true;
      }
    }
    return false;
  }

  const TestCertificatePem first_ = MakeTestCertificate("first");
  const TestCertificatePem second_ = MakeTestCertificate("second");
  std::optional<ProjectedSecret> secrets_;
  std::atomic<int> deliveries_ = 0;
  std::atomic<bool> second_secret_ = false;
  std::atomic<bool> stopping_ = false;
  std::array<std::atomic<int>, 3> calls_{};
  std::atomic<int> failed_ = 0;
  std::vector<std::thread> load_;
};

TEST_F(RotationTest, EverySecretAndCertificateChangesUnderLoadAndNoCallFails) {
  StartLoad();
  AwaitCalls();

  // New key and certificate; both webhook secrets hold while aulm changes over.
  secrets_->Replace(Files(kSecondKey, "first\nsecond\n", second_));
  EXPECT_TRUE(Await([&] { return ShowsOnly(second_, gateway_->webhook_address()); }));
  EXPECT_TRUE(Await([&] { return ShowsOnly(second_, gateway_->admin_address()); }));
  EXPECT_TRUE(Await([&] { return KeyWasUsed(kSecondKey); }));
  HttpsClient probe(first_.certificate + second_.certificate);
  EXPECT_TRUE(Await([&] { return Deliver(probe, "second") == 200; }));
  AwaitCalls();
  ASSERT_TRUE(simulator_->control().SetKey(kFirstKey, "revoked").ok());
  second_secret_ = true;
  AwaitCalls();

  secrets_->Replace(Files(kSecondKey, "second\n", second_));
  EXPECT_TRUE(Await([&] { return Deliver(probe, "first") == 401; }));
  AwaitCalls();
  EXPECT_EQ(failed_, 0);
}

TEST_F(RotationTest, BrokenFilesKeepTheOldOnesInForceAndAreTold) {
  StartLoad();
  AwaitCalls();
  secrets_->Replace(Files("no key", "\n", {first_.certificate, second_.key}));
  EXPECT_TRUE(Await([&] {
    const std::string metrics = Metrics();
    return absl::StrContains(metrics, "aulm_gateway_tls_files_broken{listener=\"webhook\"} 1\n") &&
           absl::StrContains(metrics, "aulm_gateway_tls_files_broken{listener=\"admin\"} 1\n") &&
           absl::StrContains(metrics, "aulm_gateway_secret_files_broken{account=\"default\",secret=\"api_key\"} 1\n") &&
           absl::StrContains(metrics,
                             "aulm_gateway_secret_files_broken{account=\"default\",secret=\"webhook_secret\"} 1\n");
  }));
  AwaitCalls();
  EXPECT_EQ(failed_, 0);
  EXPECT_TRUE(ShowsOnly(first_, gateway_->webhook_address()));
  std::ifstream file(folder_ + "/gateway.log");
  const std::string log((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THAT(log, testing::HasSubstr("tls_files_refused_old_kept"));
  EXPECT_THAT(log, testing::HasSubstr("secret_file_refused_old_kept"));
}

}  // namespace
}  // namespace aulm::gateway
