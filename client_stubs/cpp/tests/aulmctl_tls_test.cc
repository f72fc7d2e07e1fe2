#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client_stubs/cpp/tests/aulmctl_test.h"
#include "gmock/gmock.h"

namespace aulm::gateway::ctl {
namespace {

using ::testing::HasSubstr;

// A gateway with TLS beside the plain one, and certificates that openssl(1) made: each its own authority.
class AulmctlTlsTest : public AulmctlTest {
 protected:
  AulmctlTlsTest() {
    MakeCertificate("server");
    MakeCertificate("client");
  }

  void StartTls(grpc_ssl_client_certificate_request_type client_certificates) {
    grpc::SslServerCredentialsOptions options(client_certificates);
    options.pem_key_cert_pairs.push_back({ReadFile(Pem("server", "key")), ReadFile(Pem("server", "cert"))});
    options.pem_root_certs = ReadFile(Pem("client", "cert"));
    tls_gateway_ = std::make_unique<client::FakeGateway>(0, grpc::SslServerCredentials(options));
    tls_gateway_->OnGetSessionStatus([](const auto&, auto&) { return grpc::Status::OK; });
    aulmctl_.environment()["AULM_GATEWAY"] = absl::StrCat("localhost:", tls_gateway_->port());
  }

  std::string Pem(const std::string& who, const std::string& what) const { return folder_ + "/" + who + "." + what; }

  Finished Status(std::vector<std::string> flags) {
    flags.insert(flags.begin(), {"session", "status", "s-1"});
    return aulmctl_.Run(flags);
  }

 private:
  void MakeCertificate(const std::string& who) {
    const Finished made = aulmctl_.Bash(absl::StrCat(
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=", who,
        " -addext subjectAltName=DNS:localhost -keyout ", Pem(who, "key"), " -out ", Pem(who, "cert")));
    ASSERT_EQ(made.exit_code, 0) << made.err;
  }

  std::unique_ptr<client::FakeGateway> tls_gateway_;
};

TEST_F(AulmctlTlsTest, GatewayOfTheGivenAuthorityIsTrusted) {
  StartTls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  const Finished run = Status({"--tls-ca", Pem("server", "cert")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

TEST_F(AulmctlTlsTest, GatewayOfAnotherAuthorityIsNot) {
  StartTls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  EXPECT_EQ(Status({"--tls-ca", Pem("client", "cert")}).exit_code, 4);
  EXPECT_EQ(Status({"--tls"}).exit_code, 4);
}

TEST_F(AulmctlTlsTest, PlaintextToATlsListenerPointsAtTheTlsFlags) {
  StartTls(GRPC_SSL_DONT_REQUEST_CLIENT_CERTIFICATE);
  const Finished run = Status({"--timeout", "10s"});
  EXPECT_EQ(run.exit_code, 4);
  EXPECT_THAT(run.err, HasSubstr("--tls"));
}

TEST_F(AulmctlTlsTest, ClientCertificateIsShown) {
  StartTls(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  const std::string ca = Pem("server", "cert");
  EXPECT_EQ(Status({"--tls-ca", ca}).exit_code, 4);
  const Finished run = Status({"--tls-ca", ca, "--tls-cert", Pem("client", "cert"), "--tls-key", Pem("client", "key")});
  EXPECT_EQ(run.exit_code, 0) << run.err;
}

}  // namespace
}  // namespace aulm::gateway::ctl
