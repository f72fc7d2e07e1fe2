#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// One header field as it came; names compare without case.
struct HeaderView {
  absl::string_view name;
  absl::string_view value;  // without the white space around it
};

// A request that an HttpServer read: its framing was checked strictly, its meaning not at all. The views point into the
// connection's buffer and end when HttpService::Handle returns; the body is the service's to move away.
struct ServedRequest {
  absl::string_view method;
  absl::string_view target;  // as it came
  absl::string_view path;    // of the target, not decoded; starts with "/" (or is "*")
  absl::string_view query;   // after the "?", not decoded
  std::vector<HeaderView> headers;
  std::string body;                  // chunks already joined; at most HttpLimits::body_bytes
  absl::string_view remote_address;  // "192.0.2.1:40000"
  // When the first byte was read, by the monotonic clock.
  std::chrono::steady_clock::time_point arrived;

  // The first field of that name, or empty. `name` in lower case.
  absl::string_view Header(absl::string_view name) const;

  // How many fields of that name there are. `name` in lower case.
  size_t CountHeader(absl::string_view name) const;
};

}  // namespace aulm::gateway
