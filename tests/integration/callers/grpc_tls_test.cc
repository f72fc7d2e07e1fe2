// TLS of the gRPC listener: who must show a certificate, files that change under load, and what is refused at the
// start.
#include <gmock/gmock.h>
#include <grpcpp/generic/generic_stub.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "tests/integration/callers/callers_fixture.h"
#include "tests/integration/callers/contract_calls.h"
#include "tests/support/raw_http_client.h"

namespace aulm::gateway {
namespace {

constexpr char kOrders[] = R"("callers": [{"name": "orders", "spiffe_id": "spiffe://test/orders", "methods": ["*"],
                                           "accounts": ["*"], "session_ids": ["*"]}])";

class GrpcTlsTest : public testing::Test {
 protected:
  GrpcTlsTest() : orders_(accounts_.authority().Issue("URI:spiffe://test/orders")) {
    accounts_.WriteCertificate("server", accounts_.authority().Issue("IP:127.0.0.1"));
    accounts_.Write("ca", accounts_.authority().certificate());
  }

  void Start(const std::string& callers, const std::string& folder = "$D") {
    gateway_.emplace(
        accounts_.StartGateway("gateway", absl::StrReplaceAll(absl::StrCat(R"("listeners": {"grpc": {"tls": {
            "certificate_file": "$F/server.crt", "key_file": "$F/server.key", "client_ca_file": "$F/ca"}}}, )",
                                                                           callers),
                                                              {{"$F", folder}})));
  }

  // One call on a connection of its own.
  grpc::Status Call(const std::shared_ptr<grpc::ChannelCredentials>& credentials,
                    const std::string& method = "ReadEvents") {
    grpc::ClientContext context;
    SetLimit(context);
    return ContractCalls().at(method)(Connect(gateway_->grpc_address(), credentials), context, "");
  }

  // The certificate that a new connection is shown.
  std::string ShownCertificate(const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ClientContext context;
    SetLimit(context);
    const grpc::Status status =
        ContractCalls().at("ReadEvents")(Connect(gateway_->grpc_address(), credentials), context, "");
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (!status.ok()) return "";
    const auto shown = context.auth_context()->FindPropertyValues("x509_pem_cert");
    return shown.empty() ? "" : std::string(shown.front().data(), shown.front().size());
  }

  std::string Metrics() {
    RawHttpClient admin(gateway_->admin_address());
    admin.Send("GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    return admin.ReadReply().body;
  }

  TwoAccounts accounts_;
  const TestCertificatePem orders_;
  std::optional<GatewayProcess> gateway_;
};

TEST_F(GrpcTlsTest, WithoutTokensACertificateIsRequired) {
  Start(kOrders);
  EXPECT_TRUE(Call(accounts_.Tls(orders_)).ok());
  EXPECT_EQ(Call(accounts_.Tls()).error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call(accounts_.Tls(), "Health").error_code(), grpc::StatusCode::UNAVAILABLE);
  // One of another authority, or one that has expired, is none.
  TestAuthority other;
  EXPECT_EQ(Call(accounts_.Tls(other.Issue("URI:spiffe://test/orders"))).error_code(), grpc::StatusCode::UNAVAILABLE);
  const TestCertificatePem old = accounts_.authority().Issue("URI:spiffe://test/orders", -absl::Minutes(1));
  EXPECT_EQ(Call(accounts_.Tls(old)).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcTlsTest, WithoutCallersACertificateOfTheAuthorityIsRequired) {
  Start(R"("log": {"level": "info"})");
  EXPECT_TRUE(Call(accounts_.Tls(accounts_.authority().Issue("DNS:anyone.example"))).ok());
  EXPECT_EQ(Call(accounts_.Tls()).error_code(), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(GrpcTlsTest, WithTokensACertificateIsAskedForAndVerifiedWhenItIsShown) {
  accounts_.WriteToken("shop", "token-of-shop");
  Start(R"("callers": [{"name": "shop", "token_sha256_file": "$D/shop", "methods": ["*"], "accounts": ["*"],
                        "session_ids": ["*"]}])");
  EXPECT_EQ(AnswerOf(Call(accounts_.Tls())).reason, "CALLER_UNKNOWN");
  TestAuthority other;
  EXPECT_EQ(Call(accounts_.Tls(other.Issue("DNS:a.example"))).error_code(), grpc::StatusCode::UNAVAILABLE);
}

// As "use TLS" of docs/callers.md: the callers have tokens, and no certificates.
TEST_F(GrpcTlsTest, WithoutAuthoritiesNoCertificateIsAskedFor) {
  accounts_.WriteToken("shop", "token-of-shop");
  gateway_.emplace(accounts_.StartGateway("gateway", R"("listeners": {"grpc": {"tls": {
      "certificate_file": "$D/server.crt", "key_file": "$D/server.key"}}},
      "callers": [{"name": "shop", "token_sha256_file": "$D/shop", "methods": ["*"], "accounts": ["*"],
                   "session_ids": ["*"]}])"));
  const auto read = [this](const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    grpc::ClientContext context;
    SetLimit(context);
    context.AddMetadata("authorization", "Bearer token-of-shop");
    const grpc::Status status =
        ContractCalls().at("ReadEvents")(Connect(gateway_->grpc_address(), credentials), context, "");
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (!status.ok()) return std::string();
    const auto shown = context.auth_context()->FindPropertyValues("x509_pem_cert");
    return shown.empty() ? "" : std::string(shown.front().data(), shown.front().size());
  };
  read(accounts_.Tls());
  read(accounts_.Tls(orders_));                                         // one that a client has is not looked at
  EXPECT_EQ(AnswerOf(Call(accounts_.Tls())).reason, "CALLER_UNKNOWN");  // nor does it say who calls
  EXPECT_EQ(AnswerOf(Call(accounts_.Tls(orders_))).reason, "CALLER_UNKNOWN");
  const TestCertificatePem fresh = accounts_.authority().Issue("IP:127.0.0.1");
  accounts_.WriteCertificate("server", fresh);
  while (read(accounts_.Tls()) != fresh.certificate && !HasFailure()) continue;
}

// Calls without end, on connections that stay and on ever new ones, and a stream, until it is stopped.
class Load {
 public:
  Load(const std::string& address, const std::shared_ptr<grpc::ChannelCredentials>& credentials) {
    const auto kept = Connect(address, credentials);
    for (const bool anew : {false, false, true, true}) {
      threads_.emplace_back([this, anew, kept, address, credentials] {
        while (!stopping_) Note(Call(anew ? Connect(address, credentials) : kept));
      });
    }
    threads_.emplace_back([this, kept] {
      const auto stub = v1::EventService::NewStub(kept);
      v1::SubscribeEventsRequest request;
      request.mutable_heartbeat_interval()->set_seconds(1);
      grpc::ClientContext context;
      SetLimit(context, absl::Minutes(5));
      const auto stream = stub->SubscribeEvents(&context, request);
      v1::SubscribeEventsResponse frame;
      while (!stopping_ && stream->Read(&frame)) continue;
      const bool broken = !stopping_;
      context.TryCancel();
      const grpc::Status status = stream->Finish();
      if (broken) Note(status);
    });
  }
  ~Load() { Stop(); }

  // Calls that were made; what failed is told by failures().
  int Stop() {
    stopping_ = true;
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
    return calls_;
  }

  std::vector<std::string> failures() {
    absl::MutexLock lock(&mutex_);
    return failures_;
  }

 private:
  static grpc::Status Call(const std::shared_ptr<grpc::Channel>& channel) {
    grpc::ClientContext context;
    SetLimit(context);
    return ContractCalls().at("ReadEvents")(channel, context, "");
  }
  void Note(const grpc::Status& status) {
    ++calls_;
    if (status.ok()) return;
    absl::MutexLock lock(&mutex_);
    failures_.push_back(status.error_message());
  }

  std::atomic<bool> stopping_{false};
  std::atomic<int> calls_{0};
  absl::Mutex mutex_;
  std::vector<std::string> failures_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

TEST_F(GrpcTlsTest, ANewCertificateIsTakenUnderLoadWithoutAFailedCall) {
  Start(kOrders);
  const TestCertificatePem fresh = accounts_.authority().Issue("IP:127.0.0.1");
  Load load(gateway_->grpc_address(), accounts_.Tls(orders_));

  accounts_.WriteCertificate("server", fresh);
  while (ShownCertificate(accounts_.Tls(orders_)) != fresh.certificate && !HasFailure()) continue;

  EXPECT_GT(load.Stop(), 0);
  EXPECT_THAT(load.failures(), testing::IsEmpty());
  EXPECT_THAT(Metrics(),
              testing::HasSubstr("aulm_gateway_tls_changes_total{listener=\"grpc\",outcome=\"applied\"} 1\n"));
}

// As Kubernetes changes a Secret: the files are links into ..data, a link that is swapped.
TEST_F(GrpcTlsTest, FollowsKubernetesSwappedLink) {
  const auto write = [this](const std::string& name, const TestCertificatePem& pem, const std::string& ca) {
    std::filesystem::create_directories(accounts_.Path("secret/" + name));
    accounts_.WriteCertificate("secret/" + name + "/server", pem);
    accounts_.Write("secret/" + name + "/ca", ca);
    std::filesystem::create_directory_symlink(name, accounts_.Path("secret/..data_tmp"));
    std::filesystem::rename(accounts_.Path("secret/..data_tmp"), accounts_.Path("secret/..data"));
  };
  write("..1", accounts_.authority().Issue("IP:127.0.0.1"), accounts_.authority().certificate());
  for (const std::string file : {"server.crt", "server.key", "ca"}) {
    std::filesystem::create_symlink("..data/" + file, accounts_.Path("secret/" + file));
  }
  Start(kOrders, "$D/secret");
  const TestCertificatePem fresh = accounts_.authority().Issue("IP:127.0.0.1");
  Load load(gateway_->grpc_address(), accounts_.Tls(orders_));

  write("..2", fresh, accounts_.authority().certificate());
  while (ShownCertificate(accounts_.Tls(orders_)) != fresh.certificate && !HasFailure()) continue;

  load.Stop();
  EXPECT_THAT(load.failures(), testing::IsEmpty());
}

TEST_F(GrpcTlsTest, ABrokenFileKeepsTheOldCertificateAndIsTold) {
  Start(kOrders);
  const std::string before = ShownCertificate(accounts_.Tls(orders_));
  // A key that is another certificate's: gRPC's own watcher would take it.
  accounts_.Write("server.key", accounts_.authority().Issue("IP:127.0.0.1").key);
  while (!absl::StrContains(Metrics(), "aulm_gateway_tls_files_broken{listener=\"grpc\"} 1\n")) {
    ASSERT_EQ(ShownCertificate(accounts_.Tls(orders_)), before);
  }
  EXPECT_EQ(ShownCertificate(accounts_.Tls(orders_)), before);
  EXPECT_THAT(Metrics(),
              testing::HasSubstr("aulm_gateway_tls_changes_total{listener=\"grpc\",outcome=\"refused\"} 1\n"));
  EXPECT_THAT(Metrics(),
              testing::HasSubstr("aulm_gateway_tls_certificate_expiry_timestamp_seconds{listener=\"grpc\"}"));
}

TEST_F(GrpcTlsTest, AnotherClientAuthorityHoldsForNewConnections) {
  Start(kOrders);
  TestAuthority next("the next authority");
  const TestCertificatePem orders_next = next.Issue("URI:spiffe://test/orders");
  const auto kept = Connect(gateway_->grpc_address(), accounts_.Tls(orders_));
  const auto call_kept = [&] {
    grpc::ClientContext context;
    SetLimit(context);
    return ContractCalls().at("ReadEvents")(kept, context, "");
  };
  ASSERT_TRUE(call_kept().ok());
  ASSERT_FALSE(Call(accounts_.Tls(orders_next)).ok());

  accounts_.Write("ca", next.certificate());
  while (!Call(accounts_.Tls(orders_next)).ok()) ASSERT_TRUE(call_kept().ok());

  EXPECT_FALSE(Call(accounts_.Tls(orders_)).ok());
  EXPECT_TRUE(call_kept().ok());
}

// Whether reflection is served there.
grpc::StatusCode AskReflection(const std::string& address) {
  grpc::GenericStub stub(Connect(address));
  grpc::ClientContext context;
  SetLimit(context);
  grpc::CompletionQueue queue;
  const auto call =
      stub.PrepareCall(&context, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", &queue);
  call->StartCall(nullptr);
  void* tag;
  bool ok;
  queue.Next(&tag, &ok);
  call->WritesDone(nullptr);
  queue.Next(&tag, &ok);
  grpc::Status status;
  call->Finish(&status, nullptr);
  queue.Next(&tag, &ok);
  return status.error_code();
}

TEST_F(GrpcTlsTest, ReflectionIsOnLoopbackAloneUnlessItIsAskedFor) {
  accounts_.WriteToken("shop", "token-of-shop");
  const std::string callers = R"("callers": [{"name": "shop", "token_sha256_file": "$D/shop"}])";
  const auto loopback = accounts_.StartGateway("loopback", callers);
  const auto open = accounts_.StartGateway("open", callers, "0.0.0.0:0");
  const auto asked = accounts_.StartGateway(
      "asked", absl::StrCat(R"("listeners": {"grpc": {"reflection": true}}, )", callers), "0.0.0.0:0");
  EXPECT_EQ(AskReflection(loopback.grpc_address()), grpc::StatusCode::OK);
  EXPECT_EQ(AskReflection(open.grpc_address()), grpc::StatusCode::UNIMPLEMENTED);
  EXPECT_EQ(AskReflection(asked.grpc_address()), grpc::StatusCode::OK);
}

// What a gateway that does not start says, and the status with which it ends.
struct Refusal {
  int status = 0;
  std::vector<std::string> lines;
};

Refusal StartInVain(const TwoAccounts& accounts, std::map<std::string, std::string> environment) {
  environment.emplace("AULM_API_KEY", "alm_sk_test_simulator");
  environment.emplace("AULM_WEBHOOK_SECRET", "whsec");
  const std::string log = accounts.Path("refusal");
  auto child = ChildProcess::Start({BinaryPath("aulm-gateway")}, environment, log);
  EXPECT_TRUE(child.ok());
  Refusal refusal;
  refusal.status = child->Wait(absl::Seconds(30)).value_or(-1);
  std::ifstream file(log);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  refusal.lines = absl::StrSplit(text, '\n', absl::SkipEmpty());
  return refusal;
}

TEST_F(GrpcTlsTest, AnOpenListenerWithoutCallersDoesNotStart) {
  const Refusal refusal = StartInVain(accounts_, {{"GATEWAY_GRPC_LISTEN", "0.0.0.0:0"}});
  EXPECT_EQ(refusal.status, 2);
  ASSERT_EQ(refusal.lines.size(), 1u);
  EXPECT_THAT(refusal.lines[0], testing::HasSubstr("open to the network, where anyone could send: list callers"));
}

TEST_F(GrpcTlsTest, AnOpenAdminPageWithoutItsTokenDoesNotStart) {
  const Refusal refusal = StartInVain(accounts_, {{"GATEWAY_ADMIN_LISTEN", "0.0.0.0:0"}});
  EXPECT_EQ(refusal.status, 2);
  ASSERT_EQ(refusal.lines.size(), 1u);
  EXPECT_THAT(refusal.lines[0], testing::HasSubstr("listeners.admin.token_sha256_file"));
}

}  // namespace
}  // namespace aulm::gateway
