#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// Names and values of a query or of a form's body (application/x-www-form-urlencoded), decoded, in their order.
using Form = std::vector<std::pair<std::string, std::string>>;

// Error: INVALID_ARGUMENT, when something behind a % is no byte.
absl::StatusOr<Form> ParseForm(absl::string_view text);

// The first value of that name; empty when there is none.
absl::string_view ValueOf(const Form& form, absl::string_view name);

}  // namespace aulm::gateway
