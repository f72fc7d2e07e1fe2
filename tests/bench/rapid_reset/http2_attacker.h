#pragma once

#include <cstdint>
#include <string>

#include "absl/time/time.h"

namespace aulm::gateway {

// One connection of somebody hostile: opens calls and resets each at once (HEADERS, RST_STREAM), in frames of its own
// over a plain socket, so that no client library holds it back.
struct ResetRun {
  uint32_t opened = 0;         // calls that were written, each with its reset
  std::string ended = "done";  // "closed by the server", "GOAWAY 11", "stalled"
  absl::Duration took;
};

// Blocks until `calls` are written, the server ends the connection, or `limit` has passed. `address` is
// "127.0.0.1:port".
ResetRun OpenAndReset(const std::string& address, uint32_t calls, absl::Duration limit);

}  // namespace aulm::gateway
