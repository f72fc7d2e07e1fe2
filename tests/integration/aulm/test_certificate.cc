#include "tests/integration/aulm/test_certificate.h"

#include <gtest/gtest.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

void AddExtension(X509* certificate, int nid, const char* value) {
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, nullptr, nid, value);
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

int ChooseHttp2(SSL*, const unsigned char** chosen, unsigned char* length, const unsigned char* offered,
                unsigned int offered_length, void*) {
  static constexpr unsigned char kHttp2[] = {2, 'h', '2'};
  unsigned char* found = nullptr;
  if (SSL_select_next_proto(&found, length, kHttp2, sizeof(kHttp2), offered, offered_length) !=
      OPENSSL_NPN_NEGOTIATED) {
    return SSL_TLSEXT_ERR_NOACK;
  }
  *chosen = found;
  return SSL_TLSEXT_ERR_OK;
}

}  // namespace

TestCertificate::TestCertificate(const std::string& address) : context_(SSL_CTX_new(TLS_server_method())) {
  static std::atomic<int> made{0};
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 3600);
  X509_set_pubkey(certificate, key);
  X509_NAME* const name = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("test"), -1, -1, 0);
  X509_set_issuer_name(certificate, name);
  AddExtension(certificate, NID_basic_constraints, "critical,CA:TRUE");
  AddExtension(certificate, NID_subject_alt_name, absl::StrCat("IP:", address).c_str());
  X509_sign(certificate, key, EVP_sha256());
  SSL_CTX_use_certificate(context_.get(), certificate);
  SSL_CTX_use_PrivateKey(context_.get(), key);

  file_ = absl::StrCat(testing::TempDir(), "/certificate-", getpid(), "-", ++made, ".pem");
  std::FILE* const file = std::fopen(file_.c_str(), "w");
  if (file == nullptr) std::abort();
  PEM_write_X509(file, certificate);
  std::fclose(file);
  X509_free(certificate);
  EVP_PKEY_free(key);
}

void TestCertificate::LimitTo(int lowest, int highest) {
  // OpenSSL's default security level has no TLS 1.1 at all.
  SSL_CTX_set_security_level(context_.get(), 0);
  SSL_CTX_set_min_proto_version(context_.get(), lowest);
  SSL_CTX_set_max_proto_version(context_.get(), highest);
}

void TestCertificate::OfferHttp2() { SSL_CTX_set_alpn_select_cb(context_.get(), &ChooseHttp2, nullptr); }

}  // namespace aulm::gateway
