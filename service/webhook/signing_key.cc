#include "service/webhook/signing_key.h"

#include <openssl/core_names.h>
#include <openssl/params.h>

#include <string>
#include <utility>

namespace aulm::gateway {
namespace {

const unsigned char* Bytes(absl::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

}  // namespace

std::unique_ptr<SigningKey> SigningKey::Create(absl::string_view secret) {
  if (secret.empty()) return nullptr;
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> hmac(EVP_MAC_fetch(nullptr, "HMAC", nullptr), EVP_MAC_free);
  if (hmac == nullptr) return nullptr;
  Context context(EVP_MAC_CTX_new(hmac.get()));  // holds on to the algorithm
  char digest[] = "SHA256";
  const OSSL_PARAM params[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                               OSSL_PARAM_construct_end()};
  if (context == nullptr || EVP_MAC_init(context.get(), Bytes(secret), secret.size(), params) != 1) return nullptr;
  return std::unique_ptr<SigningKey>(new SigningKey(std::move(context)));
}

std::optional<SignatureDigest> SigningKey::Sign(absl::string_view body) const {
  Context context;
  {
    absl::MutexLock lock(&mutex_);
    if (!spare_.empty()) {
      context = std::move(spare_.back());
      spare_.pop_back();
    }
  }
  if (context == nullptr) {
    context.reset(EVP_MAC_CTX_dup(keyed_.get()));
  } else if (EVP_MAC_init(context.get(), nullptr, 0, nullptr) != 1) {  // begins anew with the key it has
    return std::nullopt;
  }
  SignatureDigest digest;
  size_t size = 0;
  const bool signed_it = context != nullptr && EVP_MAC_update(context.get(), Bytes(body), body.size()) == 1 &&
                         EVP_MAC_final(context.get(), digest.data(), &size, digest.size()) == 1;
  if (!signed_it || size != digest.size()) return std::nullopt;
  absl::MutexLock lock(&mutex_);
  spare_.push_back(std::move(context));
  return digest;
}

}  // namespace aulm::gateway
