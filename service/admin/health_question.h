#pragma once

#include "absl/status/status.h"
#include "service/config/settings.h"

namespace aulm::gateway {

// Asks the gateway whose admin listener has these settings, on this machine, whether it is ready. Blocks for at most 3
// s. Over TLS it does not ask whose certificate it meets, since that is for other names than loopback's: all that is
// told is a status. UNAVAILABLE with what /readyz says is not ready, or why it cannot be asked.
absl::Status AskReadiness(const ListenerSettings& admin);

}  // namespace aulm::gateway
