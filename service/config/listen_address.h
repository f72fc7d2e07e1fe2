#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// Where a listener binds: a host and a port.
struct ListenAddress {
  std::string host;   // an IPv4 address, an IPv6 address without brackets, or a host name in lower case
  uint16_t port = 0;  // 0 means any free port

  bool operator==(const ListenAddress&) const = default;
};

// Reads "127.0.0.1:8080", "[::1]:8080" or "localhost:8080". INVALID_ARGUMENT with "<problem>: <remedy>" otherwise.
absl::StatusOr<ListenAddress> ParseListenAddress(absl::string_view text);

// The form that ParseListenAddress reads; an IPv6 address in brackets.
std::string ToString(const ListenAddress& address);

// True for 127.0.0.0/8, ::1, ::ffff:127.0.0.0/104, and the name "localhost". `host` as in ListenAddress.
bool IsLoopbackHost(absl::string_view host);

}  // namespace aulm::gateway
