#pragma once

#include "client_stubs/cpp/aulmctl/exit_code.h"

namespace aulm::gateway::ctl {

// All of aulmctl: parses the words, runs the command that they name, and says how it went. Once a process, from main.
ExitCode RunProgram(int argc, char** argv);

}  // namespace aulm::gateway::ctl
