#include "service/base/version.h"

namespace aulm::gateway {

// AULM_GATEWAY_VERSION comes from PROJECT_VERSION; this file alone is compiled with it.
absl::string_view GatewayVersion() { return AULM_GATEWAY_VERSION; }

absl::string_view UserAgent() { return "aulm-gateway/" AULM_GATEWAY_VERSION; }

}  // namespace aulm::gateway
