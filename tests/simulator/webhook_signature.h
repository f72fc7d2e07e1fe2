#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// The value of `x-aulm-signature`: `sha256=` and the hex HMAC-SHA256 of the raw body under the endpoint's secret
// (aulm API, "Webhooks"). Thread-safe.
std::string SignWebhook(absl::string_view secret, absl::string_view body);

}  // namespace aulm::simulator
