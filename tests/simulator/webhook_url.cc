#include "tests/simulator/webhook_url.h"

#include <cstdint>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace aulm::simulator {

absl::StatusOr<WebhookUrl> ParseWebhookUrl(absl::string_view text) {
  const auto bad = [text](absl::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat("webhook URL '", text, "' ", why));
  };
  WebhookUrl url;
  absl::string_view rest = text;
  if (absl::ConsumePrefix(&rest, "https://")) {
    url.tls = true;
  } else if (!absl::ConsumePrefix(&rest, "http://")) {
    return bad("must begin with http:// or https://");
  }
  for (const char c : rest) {
    if (c <= ' ' || c == 0x7F) return bad("must not contain spaces or control characters");
  }
  const size_t slash = rest.find_first_of("/?");
  const absl::string_view authority = rest.substr(0, slash);
  const absl::string_view target = slash == absl::string_view::npos ? "" : rest.substr(slash);
  url.target = absl::StrCat(target.empty() || target.front() != '/' ? "/" : "", target);
  url.host_header = std::string(authority);
  const size_t bracket = authority.find(']');
  const size_t colon = authority.find(':', bracket == absl::string_view::npos ? 0 : bracket);
  absl::string_view host = authority.substr(0, colon);
  if (bracket != absl::string_view::npos) host = host.substr(1, bracket - 1);
  if (host.empty() || host.find('@') != absl::string_view::npos) return bad("has no plain host");
  url.host = std::string(host);
  url.port = url.tls ? "443" : "80";
  if (colon != absl::string_view::npos) {
    uint32_t port = 0;
    if (!absl::SimpleAtoi(authority.substr(colon + 1), &port) || port == 0 || port > 65535) {
      return bad("must have a port from 1 to 65535");
    }
    url.port = absl::StrCat(port);
  }
  return url;
}

}  // namespace aulm::simulator
