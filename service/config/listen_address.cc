#include "service/config/listen_address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "service/config/problems.h"

namespace aulm::gateway {
namespace {

constexpr size_t kLongestHostName = 253;
constexpr size_t kLongestLabel = 63;
constexpr absl::string_view kRemedy = "write host:port, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080";

absl::Status Bad(absl::string_view text, absl::string_view problem) {
  return absl::InvalidArgumentError(absl::StrCat(Quoted(text), " ", problem, ": ", kRemedy));
}

// inet_pton, which would read "127.0.0.1" where a NUL and anything else comes after it.
template <typename Address>
std::optional<Address> ParseIp(int family, const std::string& host) {
  Address address;
  if (absl::StrContains(host, '\0') || inet_pton(family, host.c_str(), &address) != 1) return std::nullopt;
  return address;
}
std::optional<in_addr> ParseIpv4(const std::string& host) { return ParseIp<in_addr>(AF_INET, host); }
std::optional<in6_addr> ParseIpv6(const std::string& host) { return ParseIp<in6_addr>(AF_INET6, host); }

bool IsHostName(absl::string_view host) {
  if (host.empty() || host.size() > kLongestHostName) return false;
  for (const absl::string_view label : absl::StrSplit(host, '.')) {
    if (label.empty() || label.size() > kLongestLabel || label.front() == '-' || label.back() == '-') return false;
    if (!std::all_of(label.begin(), label.end(), [](unsigned char c) { return absl::ascii_isalnum(c) || c == '-'; })) {
      return false;
    }
  }
  // Digits alone would be a broken IPv4 address.
  return absl::ascii_isalpha(static_cast<unsigned char>(host.back())) ||
         !absl::ascii_isdigit(static_cast<unsigned char>(host[host.rfind('.') + 1]));
}

}  // namespace

absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text) {
  const size_t colon = text.rfind(':');
  const bool in_brackets = !text.empty() && text.front() == '[';
  if (colon == absl::string_view::npos || (in_brackets && text[colon - 1] != ']')) return Bad(text, "has no port");

  const absl::string_view port = text.substr(colon + 1);
  ListenAddress address;
  uint32_t number;
  const bool is_number = std::all_of(port.begin(), port.end(), absl::ascii_isdigit) && absl::SimpleAtoi(port, &number);
  if (!is_number || number > 65535) return Bad(text, "has a port that is no number from 0 to 65535");
  address.port = static_cast<uint16_t>(number);

  if (in_brackets) {
    address.host = absl::AsciiStrToLower(text.substr(1, colon - 2));
    if (!ParseIpv6(address.host)) return Bad(text, "has no IPv6 address in its brackets");
    return address;
  }
  address.host = absl::AsciiStrToLower(text.substr(0, colon));
  if (address.host.empty()) return Bad(text, "has no host");
  if (absl::StrContains(address.host, ':')) return Bad(text, "has an IPv6 address without brackets");
  if (!ParseIpv4(address.host) && !IsHostName(address.host)) {
    return Bad(text, "has a host that is neither an IP address nor a host name");
  }
  return address;
}

std::string ToString(const ListenAddress& address) {
  const bool is_ipv6 = absl::StrContains(address.host, ':');
  return absl::StrCat(is_ipv6 ? "[" : "", address.host, is_ipv6 ? "]:" : ":", address.port);
}

bool IsLoopbackHost(absl::string_view host) {
  if (host == "localhost") return true;
  const std::string text(host);
  if (const auto v4 = ParseIpv4(text)) return ntohl(v4->s_addr) >> 24 == 127;
  const auto v6 = ParseIpv6(text);
  if (!v6) return false;
  return IN6_IS_ADDR_LOOPBACK(&*v6) || (IN6_IS_ADDR_V4MAPPED(&*v6) && v6->s6_addr[12] == 127);
}

}  // namespace aulm::gateway
