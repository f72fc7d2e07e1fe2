#include "service/config/environment.h"

#include <unistd.h>

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "service/config/spelling.h"

namespace aulm::gateway {
namespace {

bool IsOurs(absl::string_view name) { return absl::StartsWith(name, "AULM_") || absl::StartsWith(name, "GATEWAY_"); }

// Kubernetes gives every container the address of each service of its namespace: GATEWAY_SERVICE_HOST,
// GATEWAY_SERVICE_PORT_GRPC, GATEWAY_PORT, GATEWAY_PORT_8080_TCP_ADDR for one that is called "gateway".
bool IsServiceLink(absl::string_view name) {
  if (absl::EndsWith(name, "_SERVICE_HOST") || absl::StrContains(name, "_SERVICE_PORT")) return true;
  if (absl::EndsWith(name, "_PORT")) return true;
  return absl::StrContains(name, "_PORT_") && (absl::StrContains(name, "_TCP") || absl::StrContains(name, "_UDP"));
}

}  // namespace

Environment ProcessEnvironment() {
  Environment environment;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const absl::string_view text = *variable;
    const size_t equals = text.find('=');
    if (equals == absl::string_view::npos || !IsOurs(text.substr(0, equals))) continue;
    environment.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return environment;
}

std::vector<std::string> DescribeUnknownVariables(const Environment& environment) {
  std::vector<std::string> lines;
  for (const auto& [name, value] : environment) {
    if (!IsOurs(name) || absl::StartsWith(name, "AULM_GATEWAY_") || IsServiceLink(name)) continue;
    if (std::find(kVariables.begin(), kVariables.end(), name) != kVariables.end()) continue;
    const absl::string_view meant = ClosestName(name, {kVariables.begin(), kVariables.end()});
    lines.push_back(absl::StrCat(name, ": not a variable of the gateway, ignored",
                                 meant.empty() ? "" : absl::StrCat(": did you mean ", meant, "?")));
  }
  return lines;
}

}  // namespace aulm::gateway
