#include "tests/simulator/image_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace aulm::simulator {
namespace {

struct Ipv4Block {
  uint32_t network;
  int bits;
};

constexpr uint32_t Ip(uint32_t a, uint32_t b, uint32_t c, uint32_t d) { return a << 24 | b << 16 | c << 8 | d; }

// Blocks that are not public: this network, private, shared, loopback, link-local, multicast, reserved.
constexpr Ipv4Block kNotPublic[] = {
    {Ip(0, 0, 0, 0), 8},      {Ip(10, 0, 0, 0), 8},    {Ip(100, 64, 0, 0), 10},  {Ip(127, 0, 0, 0), 8},
    {Ip(169, 254, 0, 0), 16}, {Ip(172, 16, 0, 0), 12}, {Ip(192, 168, 0, 0), 16}, {Ip(224, 0, 0, 0), 3},
};

bool IsPublic(uint32_t address) {
  for (const Ipv4Block& block : kNotPublic) {
    if ((address ^ block.network) >> (32 - block.bits) == 0) return false;
  }
  return true;
}

bool IsPublic(const in6_addr& address) {
  const uint8_t* bytes = address.s6_addr;
  if (IN6_IS_ADDR_V4MAPPED(&address)) {
    uint32_t v4;
    std::memcpy(&v4, bytes + 12, sizeof(v4));
    return IsPublic(ntohl(v4));
  }
  const bool unique_local = (bytes[0] & 0xFE) == 0xFC;
  return !IN6_IS_ADDR_UNSPECIFIED(&address) && !IN6_IS_ADDR_LOOPBACK(&address) && !IN6_IS_ADDR_LINKLOCAL(&address) &&
         !IN6_IS_ADDR_MULTICAST(&address) && !unique_local;
}

bool IsPublicHost(absl::string_view host) {
  const std::string text = absl::AsciiStrToLower(absl::StripSuffix(host, "."));
  if (text == "localhost" || absl::EndsWith(text, ".localhost")) return false;
  if (!text.empty() && text.front() == '[') {
    in6_addr address;
    const std::string inner = text.substr(1, text.size() < 2 ? 0 : text.size() - 2);
    return text.back() == ']' && inet_pton(AF_INET6, inner.c_str(), &address) == 1 && IsPublic(address);
  }
  in_addr address;  // inet_aton also reads 127.1, 0x7f000001 and 2130706433, which resolvers follow
  if (inet_aton(text.c_str(), &address) != 0) return IsPublic(ntohl(address.s_addr));
  return true;
}

absl::Status CheckUrl(absl::string_view rest) {
  absl::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const size_t at = authority.rfind('@');
  if (at != absl::string_view::npos) authority.remove_prefix(at + 1);
  const size_t after_bracket = authority.find(']');
  const size_t colon = authority.find(':', after_bracket == absl::string_view::npos ? 0 : after_bracket);
  const absl::string_view host = authority.substr(0, colon);
  if (host.empty()) return absl::InvalidArgumentError("image: the URL has no host");
  if (!IsPublicHost(host)) return absl::InvalidArgumentError("image: only public https URLs are allowed");
  return absl::OkStatus();
}

// 1 for each character of the base64 alphabet.
constexpr std::array<uint8_t, 256> Base64Alphabet() {
  std::array<uint8_t, 256> known{};
  for (const char c : absl::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/")) {
    known[static_cast<uint8_t>(c)] = 1;
  }
  return known;
}

absl::Status CheckDataUri(absl::string_view rest, size_t max_bytes) {
  constexpr absl::string_view kMarker = ";base64,";
  const size_t marker = rest.find(kMarker);
  if (!absl::StartsWithIgnoreCase(rest, "image/") || marker == absl::string_view::npos) {
    return absl::InvalidArgumentError("image: a data URI must begin data:image/…;base64,");
  }
  absl::string_view data = rest.substr(marker + kMarker.size());
  if (data.empty() || data.size() % 4 != 0) return absl::InvalidArgumentError("image: not valid base64");
  size_t bytes = data.size() / 4 * 3;
  for (int padding = 0; padding < 2 && data.back() == '='; ++padding) {
    data.remove_suffix(1);
    --bytes;
  }
  static constexpr std::array<uint8_t, 256> kKnown = Base64Alphabet();
  for (const char c : data) {
    if (kKnown[static_cast<uint8_t>(c)] == 0) return absl::InvalidArgumentError("image: not valid base64");
  }
  if (bytes > max_bytes) {
    return absl::InvalidArgumentError(absl::StrCat("image: ", bytes, " bytes, at most ", max_bytes, " are allowed"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckImage(absl::string_view image, size_t max_bytes) {
  if (absl::StartsWithIgnoreCase(image, "https://")) return CheckUrl(image.substr(8));
  if (absl::StartsWithIgnoreCase(image, "data:")) return CheckDataUri(image.substr(5), max_bytes);
  return absl::InvalidArgumentError("image: must be a public https URL or a data URI");
}

}  // namespace aulm::simulator
