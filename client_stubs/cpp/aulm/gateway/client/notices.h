#pragma once

#include <functional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "aulm/gateway/client/call_error.h"
#include "aulm/gateway/v1/event_service.pb.h"

namespace aulm::gateway::client {

// What a follower, subscriber or consumer tells besides events. Every callback is optional and must be quick; it is
// called on the thread that is in Next or Run, but for on_not_saved and on_handler_failed, which come on handlers'
// threads.
struct Notices {
  // Connected: at the start and after each interruption.
  std::function<void(const v1::Started&)> on_started;
  // Tells whether everything that is there has come, and how far behind it is.
  std::function<void(const v1::Heartbeat&)> on_heartbeat;
  // Events that can no longer be had; it goes on behind them.
  std::function<void(const v1::Gap&)> on_gap;
  // The stream ended (a Drain has reason "DRAINING", silence has no reason); it is tried again after `wait`.
  std::function<void(const CallError& error, absl::Duration wait)> on_interrupted;
  // The gateway could not take an acknowledgement; it is tried again. (A cursor store that fails ends it all.)
  std::function<void(const absl::Status& status)> on_not_saved;
  // A handler of a SharedConsumer failed, and the delivery is tried again. Null: it is told on stderr.
  std::function<void(const absl::Status& status, const v1::Delivery& delivery)> on_handler_failed;
};

}  // namespace aulm::gateway::client
