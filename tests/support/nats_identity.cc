#include "tests/support/nats_identity.h"

#include <openssl/evp.h>

#include <cstdint>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/substitute.h"

namespace aulm::gateway {
namespace {

constexpr unsigned char kSeed = 18 << 3;

using Key = std::unique_ptr<EVP_PKEY, void (*)(EVP_PKEY*)>;

// CRC-16/XMODEM.
uint16_t Checksum(absl::string_view bytes) {
  uint32_t sum = 0;
  for (const char byte : bytes) {
    sum ^= static_cast<uint32_t>(static_cast<unsigned char>(byte)) << 8;
    for (int i = 0; i < 8; ++i) sum = (sum & 0x8000) != 0 ? (sum << 1) ^ 0x1021 : sum << 1;
    sum &= 0xffff;
  }
  return static_cast<uint16_t>(sum);
}

// RFC 4648, without padding.
std::string Base32(absl::string_view bytes) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
  std::string text;
  uint32_t bits = 0;
  int count = 0;
  for (const char byte : bytes) {
    bits = (bits << 8) | static_cast<unsigned char>(byte);
    for (count += 8; count >= 5; count -= 5) text.push_back(kDigits[(bits >> (count - 5)) & 31]);
  }
  if (count > 0) text.push_back(kDigits[(bits << (5 - count)) & 31]);
  return text;
}

std::string WithChecksum(std::string bytes) {
  const uint16_t sum = Checksum(bytes);
  bytes.push_back(static_cast<char>(sum & 0xff));
  bytes.push_back(static_cast<char>(sum >> 8));
  return Base32(bytes);
}

std::string BytesOf(const std::array<unsigned char, 32>& key) { return {key.begin(), key.end()}; }

}  // namespace

NatsIdentity::NatsIdentity(Kind kind) : kind_(kind) {
  const Key key(EVP_PKEY_Q_keygen(nullptr, nullptr, "ED25519"), EVP_PKEY_free);
  size_t size = secret_.size();
  EVP_PKEY_get_raw_private_key(key.get(), secret_.data(), &size);
  size = public_.size();
  EVP_PKEY_get_raw_public_key(key.get(), public_.data(), &size);
}

std::string NatsIdentity::public_key() const {
  return WithChecksum(absl::StrCat(std::string(1, static_cast<char>(kind_)), BytesOf(public_)));
}

std::string NatsIdentity::seed() const {
  const auto kind = static_cast<unsigned>(kind_);
  std::string bytes;
  bytes.push_back(static_cast<char>(kSeed | (kind >> 5)));
  bytes.push_back(static_cast<char>((kind & 31) << 3));
  return WithChecksum(absl::StrCat(bytes, BytesOf(secret_)));
}

std::string NatsIdentity::TokenFor(const NatsIdentity& subject, absl::string_view nats) const {
  const std::string claims =
      absl::Substitute(R"({"jti": "test", "iat": 1700000000, "iss": "$0", "sub": "$1", "name": "test", "nats": $2})",
                       public_key(), subject.public_key(), nats);
  const std::string token = absl::StrCat(absl::WebSafeBase64Escape(R"({"typ": "JWT", "alg": "ed25519-nkey"})"), ".",
                                         absl::WebSafeBase64Escape(claims));
  const Key key(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, secret_.data(), secret_.size()), EVP_PKEY_free);
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  std::string signature(64, '\0');
  size_t size = signature.size();
  EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, key.get());
  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                 reinterpret_cast<const unsigned char*>(token.data()), token.size());
  return absl::StrCat(token, ".", absl::WebSafeBase64Escape(signature));
}

std::string OperatorConfiguration(const NatsIdentity& trusted, const NatsIdentity& account) {
  const NatsIdentity system(NatsIdentity::Kind::kAccount);
  constexpr char kLimits[] = R"("subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "conn": -1, )"
                             R"("leaf": -1, "wildcards": true)";
  const auto account_claims = [&](absl::string_view more) {
    return absl::StrCat(R"({"limits": {)", kLimits, more, R"(}, "type": "account", "version": 2})");
  };
  return absl::Substitute(
      "operator: $0\nsystem_account: $1\nresolver: MEMORY\nresolver_preload: {\n  $1: $2\n  $3: $4\n}\n",
      trusted.TokenFor(trusted, R"({"type": "operator", "version": 2})"), system.public_key(),
      trusted.TokenFor(system, account_claims("")), account.public_key(),
      trusted.TokenFor(account,
                       account_claims(R"(, "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1)")));
}

std::string CredentialsFile(const NatsIdentity& account, const NatsIdentity& user) {
  return absl::StrCat(
      "-----BEGIN NATS USER JWT-----\n",
      account.TokenFor(user, R"({"subs": -1, "data": -1, "payload": -1, "type": "user", "version": 2})"),
      "\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n", user.seed(),
      "\n------END USER NKEY SEED------\n");
}

}  // namespace aulm::gateway
