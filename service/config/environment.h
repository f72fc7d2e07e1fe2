#pragma once

#include <array>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// Environment variables by name. Tests write their own; main takes the process's.
using Environment = absl::btree_map<std::string, std::string>;

// Every variable that means something to the gateway.
inline constexpr std::array<absl::string_view, 10> kVariables = {
    "AULM_API_KEY",           "AULM_API_KEY_FILE",        "AULM_BASE_URL",
    "AULM_WEBHOOK_SECRET",    "AULM_WEBHOOK_SECRET_FILE", "GATEWAY_ADMIN_LISTEN",
    "GATEWAY_CONFIG",         "GATEWAY_GRPC_LISTEN",      "GATEWAY_STORE",
    "GATEWAY_WEBHOOK_LISTEN",
};

// The variables of this process that begin with AULM_ or GATEWAY_, which are all that LoadSettings looks at.
// Not while another thread changes the environment.
Environment ProcessEnvironment();

// One line for each variable that begins with AULM_ or GATEWAY_ and means nothing to the gateway (a slip of the pen,
// most often), with the name that was probably meant. Leaves out what Kubernetes sets for a service of such a name
// (GATEWAY_SERVICE_HOST, GATEWAY_PORT_8080_TCP_ADDR) and the build's own AULM_GATEWAY_….
std::vector<std::string> DescribeUnknownVariables(const Environment& environment);

}  // namespace aulm::gateway
