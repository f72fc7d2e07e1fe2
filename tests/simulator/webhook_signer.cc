#include "tests/simulator/webhook_signer.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace aulm::simulator {
namespace {

const unsigned char* Bytes(absl::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

void WebhookSigner::Free::operator()(EVP_MAC_CTX* context) const { EVP_MAC_CTX_free(context); }

WebhookSigner::WebhookSigner(absl::string_view secret) {
  EVP_MAC* hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  context_.reset(EVP_MAC_CTX_new(hmac));
  EVP_MAC_free(hmac);
  char digest[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                                   OSSL_PARAM_construct_end()};
  // An empty key must still be given, or the context counts as unkeyed.
  EVP_MAC_init(context_.get(), secret.empty() ? Bytes("") : Bytes(secret), secret.size(), parameters);
}

WebhookSigner::~WebhookSigner() = default;

std::string WebhookSigner::Sign(absl::string_view body) {
  unsigned char digest[EVP_MAX_MD_SIZE];
  size_t length = 0;
  EVP_MAC_init(context_.get(), nullptr, 0, nullptr);  // the same key anew
  EVP_MAC_update(context_.get(), Bytes(body), body.size());
  EVP_MAC_final(context_.get(), digest, &length, sizeof(digest));
  return absl::StrCat("sha256=", absl::BytesToHexString({reinterpret_cast<const char*>(digest), length}));
}

}  // namespace aulm::simulator
