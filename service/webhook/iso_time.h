#pragma once

#include <optional>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// An instant in ISO 8601's extended form with a zone ("2026-05-28T10:15:42.000Z", "2026-05-28T13:15:42+03:00"), between
// the years 1 and 9999; nullopt for anything else, also for a local time, which is no instant.
std::optional<absl::Time> ParseIsoTime(absl::string_view text);

}  // namespace aulm::gateway
