#pragma once

#include <functional>

#include "client_stubs/cpp/aulmctl/exit_code.h"
#include "client_stubs/cpp/aulmctl/global_flags.h"

namespace aulm::gateway::ctl {

// One run of aulmctl. While the words are parsed, the command that they name puts its work into `run`; main then runs
// it, once.
struct Invocation {
  GlobalFlags globals;
  std::function<ExitCode(const GlobalFlags&)> run;
};

}  // namespace aulm::gateway::ctl
