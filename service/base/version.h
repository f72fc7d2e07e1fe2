#pragma once

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// The gateway's version as the top CMakeLists.txt states it, such as "0.1.0".
absl::string_view GatewayVersion();

// What the gateway calls itself in the User-Agent header of its requests to aulm: "aulm-gateway/0.1.0".
absl::string_view UserAgent();

}  // namespace aulm::gateway
