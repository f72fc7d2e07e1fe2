#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// Reads aulm's base URL, "https://api.aulm.io" or "http://127.0.0.1:9000/", and gives it without the slash at its end,
// scheme and host in lower case. Plain http goes to a loopback host only. INVALID_ARGUMENT with "<problem>: <remedy>"
// for anything else, also for a path, a query or a user name.
absl::StatusOr<std::string> ParseBaseUrl(absl::string_view text);

}  // namespace aulm::gateway
