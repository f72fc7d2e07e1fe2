#include "service/rpc/caller_identity.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/strip.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kSpiffeScheme = "spiffe://";
constexpr size_t kLongestName = 2048;

absl::Status Malformed() { return absl::InvalidArgumentError("is not well-formed"); }

// Visible characters alone: what has others was made to be read in two ways.
bool IsVisible(absl::string_view text) {
  return !text.empty() && text.size() <= kLongestName && std::all_of(text.begin(), text.end(), absl::ascii_isgraph);
}

using Pair = std::pair<std::string, std::string>;  // key in lower case, value without quotes

// Reads one `key=value` at the front of `text`, up to the `;` or `,` behind it, which stays. A value in double quotes
// may hold anything, with \" for a quote; another may hold no quote, `,`, `;` or `=`.
std::optional<Pair> TakePair(absl::string_view& text) {
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos || equals == 0) return std::nullopt;
  Pair pair;
  pair.first = absl::AsciiStrToLower(text.substr(0, equals));
  if (!std::all_of(pair.first.begin(), pair.first.end(), absl::ascii_isalpha)) return std::nullopt;
  text.remove_prefix(equals + 1);
  if (!absl::ConsumePrefix(&text, "\"")) {
    const size_t end = std::min(text.find_first_of(",;=\""), text.size());
    pair.second = std::string(text.substr(0, end));
    text.remove_prefix(end);
    return pair;
  }
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\') text.remove_prefix(1);
    if (text.empty()) return std::nullopt;
    pair.second.push_back(text.front());
    text.remove_prefix(1);
  }
  if (!absl::ConsumePrefix(&text, "\"")) return std::nullopt;
  return pair;
}

}  // namespace

absl::StatusOr<CertificateNames> NamesOfCertificate(const std::vector<std::string>& uris,
                                                    const std::vector<std::string>& dns_names) {
  CertificateNames names;
  if (!std::all_of(uris.begin(), uris.end(), IsVisible)) return Malformed();
  const bool has_spiffe_id = std::any_of(
      uris.begin(), uris.end(), [](const std::string& uri) { return absl::StartsWithIgnoreCase(uri, kSpiffeScheme); });
  if (has_spiffe_id) {
    if (uris.size() > 1) return absl::InvalidArgumentError("has a SPIFFE id among several URIs");
    if (!absl::StartsWith(uris.front(), kSpiffeScheme)) return Malformed();
    names.spiffe_id = uris.front();
  }
  for (const std::string& name : dns_names) {
    if (!IsVisible(name)) return Malformed();
    names.dns_names.push_back(absl::AsciiStrToLower(name));
  }
  return names;
}

absl::StatusOr<CertificateNames> NamesOfForwardedClientCert(absl::string_view header) {
  std::vector<std::string> uris, dns_names;
  while (true) {
    const std::optional<Pair> pair = TakePair(header);
    if (!pair.has_value()) return Malformed();
    // Envoy writes an empty URI for a certificate without one.
    if (pair->first == "uri" && !pair->second.empty()) uris.push_back(pair->second);
    if (pair->first == "dns" && !pair->second.empty()) dns_names.push_back(pair->second);
    if (header.empty()) break;
    if (absl::ConsumePrefix(&header, ";")) continue;
    if (!absl::ConsumePrefix(&header, ",")) return Malformed();
    header = absl::StripLeadingAsciiWhitespace(header);
    uris.clear();
    dns_names.clear();
  }
  return NamesOfCertificate(uris, dns_names);
}

absl::StatusOr<CertificateNames> NamesOfLinkerdClientId(absl::string_view header) {
  if (absl::StartsWithIgnoreCase(header, kSpiffeScheme)) return NamesOfCertificate({std::string(header)}, {});
  const bool is_name = std::all_of(header.begin(), header.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_';
  });
  if (header.empty() || !is_name) return Malformed();
  return NamesOfCertificate({}, {std::string(header)});
}

std::optional<IpAddress> AddressOfPeer(absl::string_view peer) {
  const bool is_ipv4 = absl::ConsumePrefix(&peer, "ipv4:");
  if (!is_ipv4 && !absl::ConsumePrefix(&peer, "ipv6:")) return std::nullopt;
  const size_t colon = peer.rfind(':');
  if (colon == absl::string_view::npos) return std::nullopt;
  std::string host = absl::StrReplaceAll(peer.substr(0, colon), {{"%5B", "["}, {"%5D", "]"}});
  absl::string_view address = host;
  if (!is_ipv4 && (!absl::ConsumePrefix(&address, "[") || !absl::ConsumeSuffix(&address, "]"))) return std::nullopt;
  return ParseIpAddress(address.substr(0, address.find('%')));  // without the zone of a link-local address
}

}  // namespace aulm::gateway
