#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {

// Where webhooks go, taken apart.
struct WebhookUrl {
  bool tls = false;
  std::string host;         // a name or a literal address, without brackets
  std::string port;         // digits
  std::string target;       // begins with a slash
  std::string host_header;  // as in the URL

  bool operator==(const WebhookUrl&) const = default;
};

// Reads `http://host[:port]/path` or `https://…`. kInvalidArgument says what is wrong.
absl::StatusOr<WebhookUrl> ParseWebhookUrl(absl::string_view text);

}  // namespace aulm::simulator
