#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace aulm::gateway {

// A key and a certificate that signs itself, for 127.0.0.1 unless told otherwise, made anew for one test.
class TestCertificate {
 public:
  // `address` is an IPv4 address, the only name in the certificate.
  explicit TestCertificate(const std::string& address = "127.0.0.1");

  // A server's context with it.
  SSL_CTX* context() const { return context_.get(); }
  // TLS1_1_VERSION, TLS1_2_VERSION …
  void LimitTo(int lowest, int highest);
  // HTTP/2 by ALPN.
  void OfferHttp2();

  // PEM of the certificate, in the test's temporary folder.
  const std::string& file() const { return file_; }

 private:
  struct Free {
    void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
  };

  std::unique_ptr<SSL_CTX, Free> context_;
  std::string file_;
};

}  // namespace aulm::gateway
