#pragma once

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <memory>
#include <string>

#include "absl/time/time.h"
#include "tests/support/test_certificate_pem.h"

namespace aulm::gateway {

// A certificate authority of one test's own, and what it signs.
class TestAuthority {
 public:
  explicit TestAuthority(const std::string& name = "test authority");

  // PEM of its own certificate.
  const std::string& certificate() const { return pem_; }

  // A key and a certificate with the subject alternative names `names` as OpenSSL's configuration has them, such as
  // "URI:spiffe://test/a,DNS:a.example"; none when empty.
  TestCertificatePem Issue(const std::string& names, absl::Duration expires = absl::Hours(1));

 private:
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key_;
  const std::unique_ptr<X509, decltype(&X509_free)> certificate_;
  std::string pem_;
  long serial_ = 1;
};

}  // namespace aulm::gateway
