#pragma once

#include <cstdint>
#include <string>

#include "client_stubs/cpp/aulmctl/exit_code.h"
#include "client_stubs/cpp/aulmctl/global_flags.h"
#include "client_stubs/cpp/aulmctl/stop_signals.h"

namespace aulm::gateway::ctl {

// What events follow --subscription is told of a subscription in mode SHARED.
struct ConsumeFlags {
  std::string subscription;
  std::string consumer_id;
  bool raw = false;
  uint64_t count = 0;  // 0: without end
};

// Prints what a durable subscription in mode SHARED hands out and acknowledges each event once it is printed, over
// restarts of the gateway, until it is stopped.
ExitCode ConsumeEvents(const ConsumeFlags& flags, const client::GatewayClient& gateway, const GlobalFlags& globals,
                       StopSignals& signals);

}  // namespace aulm::gateway::ctl
