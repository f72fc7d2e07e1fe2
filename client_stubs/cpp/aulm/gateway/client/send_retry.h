#pragma once

#include <functional>
#include <optional>
#include <string>

#include "absl/time/time.h"
#include "aulm/gateway/client/call_error.h"
#include "grpcpp/support/status.h"

namespace aulm::gateway::client {

// What the tries of a send need of the world, so that a test can be instant.
struct SendRetryWorld {
  // A monotonic clock.
  std::function<absl::Time()> now;
  // Waits between tries. `connecting`: the last try met no gateway, and it may be worth looking for one meanwhile.
  std::function<void(absl::Duration wait, bool connecting)> wait;
};

// Makes the tries of one send within `timeout`, until it succeeds (nullopt) or must not be repeated. `attempt` makes
// one, within the time that is left. Repeated is UNAVAILABLE where nothing was sent, or where nobody can know: the
// request id, the same each time, keeps the gateway from sending twice. The error is the last one, with the outcome of
// all tries together. No try is made without time for it. Used by GatewayClient.
std::optional<CallError> TrySend(const std::string& request_id, absl::Duration timeout, bool retry,
                                 const std::function<grpc::Status(absl::Duration left)>& attempt,
                                 const SendRetryWorld& world);

}  // namespace aulm::gateway::client
