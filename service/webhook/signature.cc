#include "service/webhook/signature.h"

#include <openssl/crypto.h>

#include "absl/strings/strip.h"

namespace aulm::gateway {
namespace {

// 16 when `digit` is none.
uint8_t HexValue(char digit) {
  if (digit >= '0' && digit <= '9') return static_cast<uint8_t>(digit - '0');
  if (digit >= 'a' && digit <= 'f') return static_cast<uint8_t>(digit - 'a' + 10);
  if (digit >= 'A' && digit <= 'F') return static_cast<uint8_t>(digit - 'A' + 10);
  return 16;
}

}  // namespace

std::optional<SignatureDigest> ParseSignature(absl::string_view header) {
  SignatureDigest digest;
  if (!absl::ConsumePrefix(&header, "sha256=") || header.size() != 2 * digest.size()) return std::nullopt;
  for (size_t i = 0; i < digest.size(); ++i) {
    const uint8_t high = HexValue(header[2 * i]);
    const uint8_t low = HexValue(header[2 * i + 1]);
    if (high > 15 || low > 15) return std::nullopt;
    digest[i] = static_cast<uint8_t>(high << 4 | low);
  }
  return digest;
}

bool SameDigest(const SignatureDigest& a, const SignatureDigest& b) {
  return CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace aulm::gateway
