#include "service/events/subscriptions/ack_token.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr char kVersion = 1;
constexpr size_t kMacBytes = 16;

void Put(uint64_t value, std::string& out) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

bool Get(absl::string_view& in, uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64 && !in.empty(); shift += 7) {
    const auto byte = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    value |= uint64_t{byte & 0x7fu} << shift;
    if (byte < 0x80) return true;
  }
  return false;
}

}  // namespace

std::string AckTokens::Encode(absl::string_view subscription_id, const AckToken& token) const {
  std::string bytes(1, kVersion);
  Put(token.epoch, bytes);
  Put(token.delivery, bytes);
  Put(token.sequence, bytes);
  Put(token.attempt, bytes);
  bytes += Mac(subscription_id, bytes);
  return bytes;
}

std::optional<AckToken> AckTokens::Decode(absl::string_view subscription_id, absl::string_view bytes) const {
  if (bytes.size() <= kMacBytes || bytes.size() > 128 || bytes.front() != kVersion) return std::nullopt;
  const absl::string_view fields = bytes.substr(0, bytes.size() - kMacBytes);
  const std::string mac = Mac(subscription_id, fields);
  if (CRYPTO_memcmp(mac.data(), bytes.data() + fields.size(), kMacBytes) != 0) return std::nullopt;
  absl::string_view rest = fields.substr(1);
  AckToken token;
  uint64_t attempt = 0;
  if (!Get(rest, token.epoch) || !Get(rest, token.delivery) || !Get(rest, token.sequence) || !Get(rest, attempt)) {
    return std::nullopt;
  }
  token.attempt = static_cast<uint32_t>(attempt);
  return token;
}

std::string AckTokens::Mac(absl::string_view subscription_id, absl::string_view fields) const {
  const std::string text = absl::StrCat(subscription_id, fields);
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int length = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), digest, &length);
  return std::string(reinterpret_cast<const char*>(digest), kMacBytes);
}

}  // namespace aulm::gateway
