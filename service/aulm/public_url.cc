#include "service/aulm/public_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace aulm::gateway {
namespace {

using Ipv6 = std::array<uint8_t, 16>;

absl::Status Bad(absl::string_view why) { return absl::InvalidArgumentError(why); }

struct Url {
  std::string scheme;  // lower case
  std::string host;    // lower case, without brackets and without a last dot
  bool is_ipv6 = false;
  absl::string_view rest;  // path, query and fragment
};

// Refuses whatever two readers of a URL could read in two ways.
absl::StatusOr<Url> Parse(absl::string_view text) {
  for (const unsigned char c : text) {
    if (c <= 0x20 || c == 0x7F || c == '\\')
      return Bad("must be a URL without spaces, control characters and backslashes");
  }
  Url url;
  const size_t scheme_end = text.find("://");
  if (scheme_end == absl::string_view::npos) return Bad("must be an absolute URL, https://…");
  url.scheme = absl::AsciiStrToLower(text.substr(0, scheme_end));
  text.remove_prefix(scheme_end + 3);
  const size_t authority_end = std::min(text.find_first_of("/?#"), text.size());
  absl::string_view authority = text.substr(0, authority_end);
  url.rest = text.substr(authority_end);
  if (absl::StrContains(authority, '@')) return Bad("must not hold a user name or password");

  absl::string_view host;
  if (absl::StartsWith(authority, "[")) {
    const size_t close = authority.find(']');
    if (close == absl::string_view::npos) return Bad("holds an IPv6 address without its closing bracket");
    host = authority.substr(1, close - 1);
    authority.remove_prefix(close + 1);
    url.is_ipv6 = true;
  } else {
    host = authority.substr(0, authority.find(':'));
    authority.remove_prefix(host.size());
  }
  if (!authority.empty()) {
    uint32_t port;
    const bool is_port = absl::ConsumePrefix(&authority, ":") && authority.size() <= 5 &&
                         std::all_of(authority.begin(), authority.end(), absl::ascii_isdigit) &&
                         absl::SimpleAtoi(authority, &port) && port >= 1 && port <= 65535;
    if (!is_port) return Bad("must have a port from 1 to 65535, or none");
  }
  url.host = absl::AsciiStrToLower(host);
  if (!url.is_ipv6) {
    for (const unsigned char c : url.host) {
      if (absl::ascii_isalnum(c) || c == '-' || c == '_' || c == '.') continue;
      return Bad("must have a host of ASCII letters, digits, hyphens and dots (xn--… for other scripts)");
    }
    if (absl::EndsWith(url.host, ".")) url.host.pop_back();
  }
  if (url.host.empty()) return Bad("must name a host");
  if (url.host.size() > 253) return Bad("must name a host of at most 253 characters");
  return url;
}

// One part of an IPv4 address as old resolvers read it: 0x is hex, a leading 0 octal.
std::optional<uint64_t> ParseIpv4Part(absl::string_view part) {
  int base = 10;
  if (absl::ConsumePrefix(&part, "0x")) {
    base = 16;
    if (part.empty()) return 0;
  } else if (part.size() > 1 && part[0] == '0') {
    base = 8;
  }
  if (part.empty() || part.size() > 16) return std::nullopt;
  uint64_t value = 0;
  for (const char c : part) {
    int digit = 16;
    if (c >= '0' && c <= '9') digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (digit >= base) return std::nullopt;
    value = value * base + digit;
  }
  return value;
}

// True for a host that a resolver takes for an IPv4 address, well-formed or not: its last part is a number.
bool LooksLikeIpv4(absl::string_view host) {
  const size_t dot = host.rfind('.');
  const absl::string_view last = dot == absl::string_view::npos ? host : host.substr(dot + 1);
  return !last.empty() &&
         (std::all_of(last.begin(), last.end(), absl::ascii_isdigit) || ParseIpv4Part(last).has_value());
}

// 127.0.0.1, 127.1, 0x7f000001, 017700000001, 2130706433 and every mixture.
std::optional<uint32_t> ParseIpv4(absl::string_view host) {
  const std::vector<absl::string_view> parts = absl::StrSplit(host, '.');
  if (parts.size() > 4) return std::nullopt;
  uint64_t address = 0;
  for (size_t i = 0; i < parts.size(); ++i) {
    const std::optional<uint64_t> part = ParseIpv4Part(parts[i]);
    if (!part.has_value()) return std::nullopt;
    const bool is_last = i + 1 == parts.size();
    // The last part fills all the bytes that are left.
    const int bits = is_last ? 32 - 8 * static_cast<int>(i) : 8;
    if (*part >= uint64_t{1} << bits) return std::nullopt;
    address |= is_last ? *part : *part << (24 - 8 * i);
  }
  return static_cast<uint32_t>(address);
}

bool IsPublic(uint32_t address) {
  struct Range {
    uint32_t prefix;
    int bits;
  };
  // IANA's special-purpose addresses, and multicast.
  static constexpr Range kNotPublic[] = {
      {0x00000000, 8},   // 0.0.0.0/8, this network
      {0x0A000000, 8},   // 10.0.0.0/8, private
      {0x64400000, 10},  // 100.64.0.0/10, shared by carriers
      {0x7F000000, 8},   // 127.0.0.0/8, loopback
      {0xA9FE0000, 16},  // 169.254.0.0/16, link-local, metadata services
      {0xAC100000, 12},  // 172.16.0.0/12, private
      {0xC0000000, 24},  // 192.0.0.0/24, protocol assignments
      {0xC0000200, 24},  // 192.0.2.0/24, documentation
      {0xC0A80000, 16},  // 192.168.0.0/16, private
      {0xC6120000, 15},  // 198.18.0.0/15, benchmarks
      {0xC6336400, 24},  // 198.51.100.0/24, documentation
      {0xCB007100, 24},  // 203.0.113.0/24, documentation
      {0xE0000000, 4},   // 224.0.0.0/4, multicast
      {0xF0000000, 4},   // 240.0.0.0/4, reserved, broadcast
  };
  return std::none_of(std::begin(kNotPublic), std::end(kNotPublic),
                      [&](const Range& range) { return (address ^ range.prefix) >> (32 - range.bits) == 0; });
}

uint32_t Ipv4At(const Ipv6& address, size_t offset) {
  return uint32_t{address[offset]} << 24 | uint32_t{address[offset + 1]} << 16 | uint32_t{address[offset + 2]} << 8 |
         address[offset + 3];
}

std::optional<Ipv6> ParseIpv6(const std::string& host) {
  Ipv6 address;
  if (inet_pton(AF_INET6, host.c_str(), address.data()) != 1) return std::nullopt;
  return address;
}

bool IsPublic(const Ipv6& address) {
  const auto begins = [&](std::initializer_list<uint8_t> prefix) {
    return std::equal(prefix.begin(), prefix.end(), address.begin());
  };
  if (begins({0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF})) return IsPublic(Ipv4At(address, 12));     // IPv4-mapped
  if (begins({0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0})) return IsPublic(Ipv4At(address, 12));  // NAT64
  if (begins({0x20, 0x02})) return IsPublic(Ipv4At(address, 2));                                    // 6to4
  if (begins({0x20, 0x01, 0x0D, 0xB8})) return false;                                               // documentation
  if (begins({0x20, 0x01}) && (address[2] & 0xFE) == 0) return false;  // 2001::/23, protocols, Teredo
  return (address[0] & 0xE0) == 0x20;  // 2000::/3 is all that is global: no ::1, fc00::/7, fe80::/10, ff00::/8
}

bool IsLoopback(const Url& url) {
  if (url.is_ipv6) {
    const std::optional<Ipv6> address = ParseIpv6(url.host);
    return address.has_value() && *address == Ipv6{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1};
  }
  const std::optional<uint32_t> address = ParseIpv4(url.host);
  return url.host == "localhost" || (address.has_value() && *address >> 24 == 127);
}

bool IsLocalName(absl::string_view host) {
  for (const absl::string_view name :
       {"localhost", "local", "localdomain", "internal", "intranet", "private", "corp", "home", "lan", "home.arpa"}) {
    if (host == name || (absl::EndsWith(host, name) && host[host.size() - name.size() - 1] == '.')) return true;
  }
  return false;
}

}  // namespace

absl::Status CheckPublicHttpsUrl(absl::string_view text) {
  constexpr absl::string_view kNotPublic =
      "must name a public host: private, loopback, link-local and reserved addresses are refused";
  const absl::StatusOr<Url> url = Parse(text);
  if (!url.ok()) return url.status();
  if (url->scheme != "https") return Bad("must be an https URL");
  if (url->is_ipv6) {
    const std::optional<Ipv6> address = ParseIpv6(url->host);
    if (!address.has_value()) return Bad("holds an IPv6 address that cannot be read");
    return IsPublic(*address) ? absl::OkStatus() : Bad(kNotPublic);
  }
  if (LooksLikeIpv4(url->host)) {
    const std::optional<uint32_t> address = ParseIpv4(url->host);
    if (!address.has_value()) return Bad("holds an IPv4 address that cannot be read");
    return IsPublic(*address) ? absl::OkStatus() : Bad(kNotPublic);
  }
  if (IsLocalName(url->host)) return Bad(kNotPublic);
  const std::vector<absl::string_view> labels = absl::StrSplit(url->host, '.');
  if (labels.size() < 2) return Bad("must name a host with its domain");
  for (const absl::string_view label : labels) {
    if (label.empty() || label.size() > 63) return Bad("must name a host whose parts have 1 to 63 characters");
  }
  return absl::OkStatus();
}

absl::Status CheckBaseUrl(absl::string_view text) {
  const absl::StatusOr<Url> url = Parse(text);
  if (!url.ok()) return Bad(absl::StrCat("the base URL ", url.status().message()));
  if (url->is_ipv6 && !ParseIpv6(url->host).has_value())
    return Bad("the base URL holds no IPv6 address in its brackets");
  if (url->rest.find_first_of("?#") != absl::string_view::npos) {
    return Bad("the base URL must end with its path: no query, no fragment");
  }
  if (url->scheme == "https" || (url->scheme == "http" && IsLoopback(*url))) return absl::OkStatus();
  return Bad("the base URL must be https://…; plain http is for a loopback address alone");
}

}  // namespace aulm::gateway
