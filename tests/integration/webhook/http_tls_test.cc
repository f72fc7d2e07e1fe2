// TLS on an HttpServer: versions, unusable certificates and keys, certificates that change.
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/http/http_server.h"
#include "tests/integration/webhook/scripted_http_service.h"
#include "tests/support/raw_http_client.h"
#include "tests/support/test_certificate_pem.h"

namespace aulm::gateway {
namespace {

// A TLS connection on top of a RawHttpClient's socket.
class TlsClient {
 public:
  explicit TlsClient(absl::string_view address, int most_version = TLS1_3_VERSION)
      : client_(address), context_(SSL_CTX_new(TLS_client_method()), SSL_CTX_free), ssl_(nullptr, SSL_free) {
    SSL_CTX_set_security_level(context_.get(), 0);
    SSL_CTX_set_min_proto_version(context_.get(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(context_.get(), most_version);
    ssl_.reset(SSL_new(context_.get()));
    SSL_set_fd(ssl_.get(), client_.descriptor());
    shaken_ = SSL_connect(ssl_.get()) == 1;
  }

  bool shaken() const { return shaken_; }

  std::string PeerName() {
    const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(ssl_.get()), X509_free);
    char name[64] = "";
    X509_NAME_get_text_by_NID(X509_get_subject_name(peer.get()), NID_commonName, name, sizeof(name));
    return name;
  }

  void Send(absl::string_view bytes) { SSL_write(ssl_.get(), bytes.data(), static_cast<int>(bytes.size())); }

  // Reads up to and with `end`, or until the connection ends.
  std::string ReadUntil(const std::string& end) {
    std::string read;
    char byte;
    while (read.find(end) == std::string::npos && SSL_read(ssl_.get(), &byte, 1) == 1) read.push_back(byte);
    return read;
  }

 private:
  RawHttpClient client_;
  std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context_;
  std::unique_ptr<SSL, decltype(&SSL_free)> ssl_;
  bool shaken_ = false;
};

TlsPem PemOf(const TestCertificatePem& certificate) { return {certificate.certificate, certificate.key}; }

class HttpTlsTest : public testing::Test {
 protected:
  std::unique_ptr<HttpServer> Start() {
    HttpServerOptions options;
    options.tls = PemOf(first_);
    return StartServer(service_, options);
  }

  const TestCertificatePem first_ = MakeTestCertificate("first");
  const TestCertificatePem second_ = MakeTestCertificate("second");
  ScriptedHttpService service_;
};

constexpr absl::string_view kPost = "POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

TEST_F(HttpTlsTest, ServesRequestsOverTls) {
  const auto server = Start();
  TlsClient client(server->address());
  ASSERT_TRUE(client.shaken());
  for (int i = 0; i < 3; ++i) {
    client.Send(kPost);
    EXPECT_THAT(client.ReadUntil("POST /a hi"), testing::StartsWith("HTTP/1.1 200 OK"));
  }
}

TEST_F(HttpTlsTest, AnswersFromAnotherThreadOverTls) {
  const auto server = Start();
  TlsClient client(server->address());
  client.Send("GET /held HTTP/1.1\r\nHost: a\r\n\r\n");
  service_.AnswerHeld(1);
  EXPECT_THAT(client.ReadUntil("GET /held "), testing::StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpTlsTest, OldVersionsOfTlsAreRefused) {
  const auto server = Start();
  EXPECT_FALSE(TlsClient(server->address(), TLS1_1_VERSION).shaken());
  EXPECT_TRUE(TlsClient(server->address(), TLS1_2_VERSION).shaken());
}

TEST_F(HttpTlsTest, PlainRequestToTlsIsClosed) {
  const auto server = Start();
  RawHttpClient client(server->address());
  client.Send(kPost);
  service_.AwaitRefusal(HttpRefusal::kHandshake);
  service_.AwaitConnections(0);
}

TEST_F(HttpTlsTest, HandshakeHasTheHeaderTime) {
  HttpServerOptions options;
  options.tls = PemOf(first_);
  options.limits.header_time = absl::Milliseconds(80);
  const auto server = StartServer(service_, options);
  RawHttpClient client(server->address());
  EXPECT_TRUE(client.ReadsEnd());
}

TEST_F(HttpTlsTest, CloseSaysGoodbye) {
  const auto server = Start();
  TlsClient client(server->address());
  client.Send("GET /close HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_THAT(client.ReadUntil("GET /close "), testing::HasSubstr("connection: close"));
  EXPECT_EQ(client.ReadUntil("x"), "");
}

TEST_F(HttpTlsTest, NewCertificateServesNewConnectionsAndKeepsOldOnes) {
  const auto server = Start();
  TlsClient old(server->address());
  ASSERT_EQ(old.PeerName(), "first");
  ASSERT_TRUE(server->SetTls(PemOf(second_)).ok());
  EXPECT_EQ(TlsClient(server->address()).PeerName(), "second");
  old.Send(kPost);
  EXPECT_THAT(old.ReadUntil("POST /a hi"), testing::StartsWith("HTTP/1.1 200 OK"));
}

TEST_F(HttpTlsTest, UnusableNewCertificateKeepsTheOldOne) {
  const auto server = Start();
  for (const TlsPem& unusable : {TlsPem{}, TlsPem{first_.certificate, second_.key}, TlsPem{first_.certificate, "key"},
                                 TlsPem{"certificate", first_.key}}) {
    EXPECT_EQ(server->SetTls(unusable).code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_EQ(TlsClient(server->address()).PeerName(), "first");
  }
}

TEST_F(HttpTlsTest, PlainListenerTakesNoCertificate) {
  const auto server = StartServer(service_);
  EXPECT_EQ(server->SetTls(PemOf(first_)).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(HttpTlsTest, KeyOfAnotherCertificateIsRefused) {
  HttpServerOptions options;
  options.address = "127.0.0.1:0";
  options.tls = TlsPem{first_.certificate, second_.key};
  EXPECT_EQ(HttpServer::Start(options, &service_).status().code(), absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace aulm::gateway
