#include "service/config/tls_material.h"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <ctime>
#include <memory>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/config/problems.h"

namespace aulm::gateway {
namespace {

template <typename T, void (*kFree)(T*)>
struct Free {
  void operator()(T* object) const { kFree(object); }
};
using Certificate = std::unique_ptr<X509, Free<X509, X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY, EVP_PKEY_free>>;
using Context = std::unique_ptr<SSL_CTX, Free<SSL_CTX, SSL_CTX_free>>;

struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};
using Bio = std::unique_ptr<BIO, FreeBio>;

// Reads in place: nothing of a key is copied here.
Bio Open(absl::string_view pem) { return Bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }

// OpenSSL would otherwise ask at the terminal.
int NoPassphrase(char*, int, int, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

absl::Status Problem(const std::string& path, absl::string_view problem, absl::string_view remedy) {
  ERR_clear_error();
  return absl::InvalidArgumentError(absl::StrCat(OnOneLine(path), " ", problem, ": ", remedy));
}

std::string OpenSslReason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  return reason == nullptr ? "unusable" : reason;
}

// How many certificates `pem` still holds; nullopt when one of them cannot be read.
std::optional<size_t> CountCertificates(BIO& pem) {
  for (size_t count = 0;; ++count) {
    ERR_clear_error();
    const Certificate next(PEM_read_bio_X509(&pem, nullptr, nullptr, nullptr));
    if (next != nullptr) continue;
    if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) return std::nullopt;
    ERR_clear_error();
    return count;
  }
}

absl::Time ExpiryOf(const X509& certificate) {
  std::tm time{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(&certificate), &time) != 1) return absl::InfinitePast();
  return absl::FromTM(time, absl::UTCTimeZone());
}

}  // namespace

absl::StatusOr<TlsMaterial> MakeTlsMaterial(const TlsSettings& files, const Secret& certificate, const Secret& key,
                                            const Secret& client_ca) {
  ERR_clear_error();
  const Context context(SSL_CTX_new(TLS_server_method()));
  const Bio chain = Open(certificate.Reveal());
  const Certificate leaf(PEM_read_bio_X509_AUX(chain.get(), nullptr, nullptr, nullptr));
  if (context == nullptr || leaf == nullptr) {
    return Problem(files.certificate_file, "holds no PEM certificate",
                   "put the listener's certificate there, and the rest of its chain behind it");
  }
  if (SSL_CTX_use_certificate(context.get(), leaf.get()) != 1) {
    return Problem(files.certificate_file, absl::StrCat("cannot be used (", OpenSslReason(), ")"),
                   "put a certificate there that OpenSSL takes at its default security level");
  }
  if (!CountCertificates(*chain).has_value()) {
    return Problem(files.certificate_file, "holds a certificate that cannot be read behind the first",
                   "put the listener's certificate there, and the rest of its chain behind it");
  }
  if (!files.client_ca_file.empty() && CountCertificates(*Open(client_ca.Reveal())).value_or(0) == 0) {
    return Problem(files.client_ca_file, "holds no PEM certificate, or one that cannot be read",
                   "put the certificates of the authorities that sign the clients' there");
  }
  ERR_clear_error();
  bool asked = false;
  const Bio key_pem = Open(key.Reveal());
  const Key private_key(PEM_read_bio_PrivateKey(key_pem.get(), nullptr, NoPassphrase, &asked));
  if (asked) return Problem(files.key_file, "has a passphrase", "put the key there without one");
  if (private_key == nullptr) {
    return Problem(files.key_file, "holds no PEM private key", "put the private key of the certificate there");
  }
  if (X509_check_private_key(leaf.get(), private_key.get()) != 1 ||
      SSL_CTX_use_PrivateKey(context.get(), private_key.get()) != 1) {
    return Problem(files.key_file,
                   absl::StrCat("does not belong to the certificate ", OnOneLine(files.certificate_file)),
                   "put the private key of that certificate there");
  }
  return TlsMaterial{.certificate_chain = std::string(certificate.Reveal()),
                     .key = key,
                     .expires = ExpiryOf(*leaf),
                     .client_ca = std::string(client_ca.Reveal())};
}

}  // namespace aulm::gateway
