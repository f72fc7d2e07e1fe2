#pragma once

#include <vector>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// The name among `known` that `written` was probably meant to be: at most two letters (one where it has fewer than six)
// added, left out, changed or swapped with their neighbour, or one that `written` is the beginning of. Empty when none
// is near.
absl::string_view ClosestName(absl::string_view written, const std::vector<absl::string_view>& known);

}  // namespace aulm::gateway
