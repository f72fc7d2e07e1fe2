#include "service/admin/page_access.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "service/config/listen_address.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kCookie = "aulm_gateway_page";

bool EqualInConstantTime(absl::string_view a, absl::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

// The name in a Host field is one of this machine's own.
bool NamesThisMachine(absl::string_view host) {
  absl::string_view name = host.substr(0, host.find(':'));
  if (absl::ConsumePrefix(&host, "[")) {
    const size_t end = host.find(']');
    if (end == absl::string_view::npos || (end + 1 < host.size() && host[end + 1] != ':')) return false;
    name = host.substr(0, end);
  }
  const std::string lower = absl::AsciiStrToLower(name);
  return IsLoopbackHost(lower) || absl::EndsWith(lower, ".localhost");
}

absl::string_view CookieOf(const ServedRequest& request) {
  for (absl::string_view pair : absl::StrSplit(request.Header("cookie"), ';')) {
    pair = absl::StripAsciiWhitespace(pair);
    if (absl::ConsumePrefix(&pair, kCookie) && absl::ConsumePrefix(&pair, "=")) return pair;
  }
  return {};
}

}  // namespace

PageAccess::PageAccess(Options options, Clock& clock, Random& random)
    : options_(std::move(options)), clock_(clock), key_(absl::StrCat(random.Uuid(), random.Uuid())) {}

std::optional<std::string> PageAccess::DigestOf(absl::string_view token) const {
  std::string digest(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(),
         reinterpret_cast<unsigned char*>(digest.data()));
  for (const std::string& each : options_.token_digests()) {
    if (EqualInConstantTime(digest, each)) return digest;
  }
  return std::nullopt;
}

// The token's digest goes in: what a token began ends with it.
std::string PageAccess::Sign(absl::string_view until, absl::string_view digest) const {
  const std::string text = absl::StrCat(until, " ", digest);
  std::string mac(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), reinterpret_cast<const unsigned char*>(text.data()),
       text.size(), reinterpret_cast<unsigned char*>(mac.data()), &size);
  mac.resize(size);
  return absl::BytesToHexString(mac);
}

bool PageAccess::IsCookie(absl::string_view value) const {
  const std::pair<absl::string_view, absl::string_view> parts = absl::StrSplit(value, absl::MaxSplits('.', 1));
  int64_t until = 0;
  if (!absl::SimpleAtoi(parts.first, &until) || absl::FromUnixSeconds(until) <= clock_.Now()) return false;
  for (const std::string& digest : options_.token_digests()) {
    if (EqualInConstantTime(parts.second, Sign(parts.first, digest))) return true;
  }
  return false;
}

bool PageAccess::Allows(const ServedRequest& request) const {
  if (!needs_token()) return NamesThisMachine(request.Header("host"));
  absl::string_view bearer = request.Header("authorization");
  if (absl::ConsumePrefix(&bearer, "Bearer ") || absl::ConsumePrefix(&bearer, "bearer "))
    return DigestOf(bearer).has_value();
  return IsCookie(CookieOf(request));
}

std::optional<std::string> PageAccess::SignIn(absl::string_view token) const {
  if (!needs_token()) return std::nullopt;
  const std::optional<std::string> digest = DigestOf(token);
  if (!digest.has_value()) return std::nullopt;
  const std::string until = absl::StrCat(absl::ToUnixSeconds(clock_.Now() + options_.signed_in_for));
  return Cookie(absl::StrCat(until, ".", Sign(until, *digest)), absl::ToInt64Seconds(options_.signed_in_for));
}

std::string PageAccess::SignOut() const { return Cookie("", 0); }

std::string PageAccess::Cookie(absl::string_view value, int64_t max_age) const {
  return absl::StrCat(kCookie, "=", value, "; Path=/; HttpOnly; SameSite=Strict; Max-Age=", max_age,
                      options_.secure ? "; Secure" : "");
}

}  // namespace aulm::gateway
