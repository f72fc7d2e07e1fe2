#include "service/config/base_url.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/config/listen_address.h"
#include "service/config/problems.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kRemedy = "write scheme, host and port alone, such as https://api.aulm.io";

// The text is not shown: a URL with a user name holds a password.
absl::Status Bad(absl::string_view problem) { return absl::InvalidArgumentError(absl::StrCat(problem, ": ", kRemedy)); }

}  // namespace

absl::StatusOr<std::string> ParseBaseUrl(absl::string_view text) {
  const size_t scheme_end = text.find("://");
  if (scheme_end == absl::string_view::npos) return Bad("is no URL");
  const std::string scheme = absl::AsciiStrToLower(text.substr(0, scheme_end));
  if (scheme != "https" && scheme != "http") return Bad("is neither an https nor an http URL");

  absl::string_view authority = text.substr(scheme_end + 3);
  if (absl::StrContains(authority, '@')) return Bad("holds a user name");
  absl::ConsumeSuffix(&authority, "/");
  if (authority.find_first_of("?#") != absl::string_view::npos) return Bad("holds a query");
  if (authority.find_first_of("/\\") != absl::string_view::npos) return Bad("holds a path");

  // With a port put in where there is none, it is host:port like a listener's address.
  const bool ends_in_bracket = !authority.empty() && authority.back() == ']';
  const bool has_port = absl::StrContains(authority, ':') && !ends_in_bracket;
  const auto address = ParseListenAddress(has_port ? std::string(authority) : absl::StrCat(authority, ":1"));
  if (!address.ok() || address->port == 0) return Bad("holds no valid host and port");
  if (scheme == "http" && !IsLoopbackHost(address->host)) {
    return absl::InvalidArgumentError(
        "would send the key in the clear: use https; plain http goes to a loopback address only");
  }
  return absl::StrCat(scheme, "://", absl::AsciiStrToLower(authority));
}

}  // namespace aulm::gateway
