#pragma once

#include <cstdint>
#include <string>

#include "client_stubs/cpp/aulmctl/exit_code.h"
#include "client_stubs/cpp/aulmctl/global_flags.h"

namespace aulm::gateway::ctl {

// What events follow --subscription is told.
struct ConsumeFlags {
  std::string subscription;
  std::string consumer_id;
  bool take_over = false;
  bool raw = false;
  uint64_t count = 0;  // 0: without end
};

// Prints what a durable subscription hands out and acknowledges each event once it is printed, over restarts of the
// gateway, until it is stopped.
ExitCode ConsumeEvents(const ConsumeFlags& flags, const GlobalFlags& globals);

}  // namespace aulm::gateway::ctl
