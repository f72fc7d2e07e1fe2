// Who may be aulm: certificates and versions.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "service/base/status_details.h"
#include "tests/integration/aulm/aulm_test_client.h"
#include "tests/integration/aulm/scripted_server.h"
#include "tests/integration/aulm/test_certificate.h"

namespace aulm::gateway {
namespace {

using ::testing::HasSubstr;

void Serve(ScriptedServer::Connection& connection) {
  while (connection.ReadRequest() && connection.Write(Accepted("m1"))) {
  }
}

CurlTransportOptions Trusting(const TestCertificate& certificate) {
  CurlTransportOptions options;
  options.ca_file = certificate.file();
  return options;
}

void ExpectNoConnection(const absl::Status& status, const ScriptedServer& server) {
  EXPECT_EQ(ReasonOf(status), "CONNECT_FAILED") << status;
  EXPECT_EQ(OutcomeOf(status), Outcome::kNotSent);
  EXPECT_EQ(server.requests().size(), 0u);
}

TEST(TlsTest, ATrustedCertificateIsTaken) {
  TestCertificate certificate;
  ScriptedServer server(Serve, certificate.context());
  AulmTestClient client(server.base_url(), Trusting(certificate));
  for (int i = 0; i < 3; ++i) {
    const auto result = client.SendText();
    ASSERT_TRUE(result.ok()) << result.status();
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST(TlsTest, ASelfSignedCertificateIsRefused) {
  TestCertificate certificate;
  ScriptedServer server(Serve, certificate.context());
  AulmTestClient client(server.base_url());
  const absl::Status status = client.SendText().status();
  ExpectNoConnection(status, server);
  EXPECT_THAT(std::string(status.message()), HasSubstr("certificate"));
}

TEST(TlsTest, ACertificateForAnotherHostIsRefused) {
  TestCertificate certificate("127.0.0.2");
  ScriptedServer server(Serve, certificate.context());
  AulmTestClient client(server.base_url(), Trusting(certificate));
  ExpectNoConnection(client.SendText().status(), server);
}

TEST(TlsTest, Tls11IsRefused) {
  TestCertificate certificate;
  certificate.LimitTo(TLS1_VERSION, TLS1_1_VERSION);
  ScriptedServer server(Serve, certificate.context());
  AulmTestClient client(server.base_url(), Trusting(certificate));
  ExpectNoConnection(client.SendText().status(), server);
}

TEST(TlsTest, Tls12And13AreTaken) {
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    TestCertificate certificate;
    certificate.LimitTo(version, version);
    ScriptedServer server(Serve, certificate.context());
    AulmTestClient client(server.base_url(), Trusting(certificate));
    EXPECT_TRUE(client.SendText().ok()) << version;
  }
}

TEST(TlsTest, AKeptAliveConnectionThatClosesUnansweredIsSeenOnceAndUnknown) {
  TestCertificate certificate;
  ScriptedServer server(
      [](ScriptedServer::Connection& connection) {
        if (connection.ReadRequest() && connection.Write(Accepted("m1"))) connection.ReadRequest();
      },
      certificate.context());
  AulmTestClient client(server.base_url(), Trusting(certificate));
  ASSERT_TRUE(client.SendText("first").ok());
  const absl::Status status = client.SendText("second").status();
  EXPECT_EQ(ReasonOf(status), "SEND_OUTCOME_UNKNOWN") << status;
  EXPECT_EQ(server.requests().size(), 2u);
  EXPECT_EQ(server.received(1), "");
}

}  // namespace
}  // namespace aulm::gateway
