// Who may use NATS, and over what: users, credentials, TLS with certificates of the server and of ours.
#include <gmock/gmock.h>

#include <fstream>

#include "tests/integration/jetstream/store_fixture.h"
#include "tests/support/nats_identity.h"
#include "tests/support/test_authority.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class NatsAccessTest : public NatsStoreTest {
 protected:
  std::string WriteFile(const std::string& name, const std::string& text) {
    std::string path = absl::StrCat(folder_.path(), "/", name);
    std::ofstream(path) << text;
    return path;
  }

  // A server that speaks TLS alone, and wants a certificate of ours.
  void StartTlsServer() {
    const TestCertificatePem server = authority_.Issue("IP:127.0.0.1,DNS:localhost");
    ca_ = WriteFile("ca.pem", authority_.certificate());
    StartServer(absl::StrCat("tls {\n cert_file: \"", WriteFile("server.pem", server.certificate), "\"\n key_file: \"",
                             WriteFile("server.key", server.key), "\"\n ca_file: \"", ca_, "\"\n verify: true\n}\n"));
    const TestCertificatePem client = authority_.Issue("DNS:gateway");
    NatsServers& servers = options_.nats.servers;
    servers.tls = true;
    servers.ca_file = ca_;
    servers.certificate_file = WriteFile("client.pem", client.certificate);
    servers.key_file = WriteFile("client.key", client.key);
  }

  TestAuthority authority_;
  std::string ca_;
};

TEST_F(NatsAccessTest, TlsWithACertificateOfOurs) {
  StartTlsServer();
  absl::StatusOr<Store> store = Open(options_);
  ASSERT_TRUE(store.ok()) << store.status();

  std::vector<NewEvent> events;
  for (int i = 0; i < 500; ++i) events.push_back(EventOf(absl::StrCat("d-", i)));
  for (const absl::StatusOr<Appended>& appended : AppendAllNow(*store->log, std::move(events))) {
    ASSERT_TRUE(appended.ok()) << appended.status();
  }
  ASSERT_TRUE(WriteNow(*store->state, {"requests", "a", "value", std::nullopt}).ok());

  EXPECT_EQ(IdsOf(*store->log).size(), 500u);
  EXPECT_EQ((*GetNow(*store->state, "requests", "a"))->value, "value");
}

TEST_F(NatsAccessTest, TlsConnectionComesBackAfterTheServer) {
  StartTlsServer();
  absl::StatusOr<Store> store = Open(options_);
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(AppendNow(*store->log, EventOf("d-1")).ok());

  nats_->Kill();
  const absl::Status refused = AppendNow(*store->log, EventOf("d-2")).status();
  ASSERT_TRUE(nats_->Restart().ok());
  while (!AppendNow(*store->log, EventOf("d-2")).ok()) {
  }

  EXPECT_TRUE(absl::IsUnavailable(refused)) << refused;
  EXPECT_THAT(IdsOf(*store->log), ElementsAre("d-1", "d-2"));
}

TEST_F(NatsAccessTest, ServerThatWantsACertificateRefusesWhoHasNone) {
  StartTlsServer();
  options_.nats.servers.certificate_file.clear();
  options_.nats.servers.key_file.clear();

  const absl::Status status = Open(options_).status();

  EXPECT_FALSE(status.ok());
}

TEST_F(NatsAccessTest, ServerOfAnotherAuthorityIsRefused) {
  StartTlsServer();
  options_.nats.servers.ca_file = WriteFile("other.pem", TestAuthority("another").certificate());

  const absl::Status status = Open(options_).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("store.nats.tls"));
}

TEST_F(NatsAccessTest, ServerThatAsksForTlsIsNotTrustedWithoutOurBeingTold) {
  StartTlsServer();
  options_.nats.servers = NatsServers();

  const absl::Status status = Open(options_).status();

  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("store.nats.tls"));
}

TEST_F(NatsAccessTest, UserAndPasswordComeWithTheUrl) {
  StartServer("authorization { users = [ { user: gateway, password: swordfish } ] }");
  options_.url = absl::StrCat("nats://gateway:swordfish@", nats_->address());
  absl::StatusOr<Store> store = Open(options_);
  ASSERT_TRUE(store.ok()) << store.status();
  EXPECT_TRUE(AppendNow(*store->log, EventOf("d-1")).ok());

  options_.url = absl::StrCat("nats://gateway:canary-wrong@", nats_->address());
  const absl::Status refused = Open(options_).status();

  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(refused.message()), testing::Not(HasSubstr("canary")));
}

class NatsCredentialsTest : public NatsAccessTest {
 protected:
  void SetUp() override {
    StartServer(OperatorConfiguration(operator_, account_));
    options_.nats.servers.credentials_file = WriteFile("gateway.creds", CredentialsFile(account_, user_));
  }

  const NatsIdentity operator_{NatsIdentity::Kind::kOperator};
  const NatsIdentity account_{NatsIdentity::Kind::kAccount};
  const NatsIdentity user_{NatsIdentity::Kind::kUser};
};

TEST_F(NatsCredentialsTest, CredentialsFileLetsUsInAlsoAfterABreak) {
  absl::StatusOr<Store> store = Open(options_);
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(AppendNow(*store->log, EventOf("d-1")).ok());

  nats_->Kill();
  // Another user of the account, from now on: the file is read at every connect.
  const NatsIdentity other(NatsIdentity::Kind::kUser);
  WriteFile("gateway.creds", CredentialsFile(account_, other));
  ASSERT_TRUE(nats_->Restart().ok());
  while (!AppendNow(*store->log, EventOf("d-2")).ok()) {
  }

  EXPECT_THAT(IdsOf(*store->log), ElementsAre("d-1", "d-2"));
}

TEST_F(NatsCredentialsTest, UserOfAnotherAccountIsRefused) {
  const NatsIdentity other(NatsIdentity::Kind::kAccount);
  WriteFile("gateway.creds", CredentialsFile(other, user_));

  const absl::Status refused = Open(options_).status();

  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("store.nats.credentials_file"));
  EXPECT_THAT(std::string(refused.message()), testing::Not(HasSubstr(user_.seed())));
}

TEST_F(NatsCredentialsTest, SeedOfAnotherUserIsRefused) {
  const NatsIdentity other(NatsIdentity::Kind::kUser);
  std::string file = CredentialsFile(account_, user_);
  file.replace(file.find(user_.seed()), user_.seed().size(), other.seed());
  WriteFile("gateway.creds", file);

  EXPECT_EQ(Open(options_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(NatsCredentialsTest, WithoutAFileWeAreRefused) {
  options_.nats.servers.credentials_file.clear();

  EXPECT_EQ(Open(options_).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace aulm::gateway
