#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// What a load of webhooks came to.
struct WebhookLoad {
  double per_second = 0;
  double median_ms = 0;
  double p99_ms = 0;
  int refused = 0;  // answers other than 200, and connections that broke
};

// `count` signed message_status deliveries, no two alike, as whole HTTP messages. `run` keeps those of two runs apart.
std::vector<std::string> MakeDeliveries(size_t count, int run, absl::string_view secret);

// Posts each of `deliveries` once to `address` over `connections` kept-alive connections, each with one delivery under
// way at a time.
WebhookLoad PostDeliveries(const std::vector<std::string>& deliveries, const std::string& address, size_t connections);

}  // namespace aulm::gateway
