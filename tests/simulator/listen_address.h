#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {

// Where to listen: a literal address and a port.
struct ListenAddress {
  std::string host;  // `127.0.0.1` or `::1`, without brackets
  uint16_t port = 0;
};

// Reads `127.0.0.1:8080` or `[::1]:0`. kInvalidArgument says what is wrong.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

}  // namespace aulm::simulator
