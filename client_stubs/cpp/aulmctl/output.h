#pragma once

#include "absl/strings/string_view.h"
#include "client_stubs/cpp/aulmctl/exit_code.h"

namespace aulm::gateway::ctl {

// Writes `text` and a line end to stdout, all the way out, so that a reader in a pipe has it at once. kDone, or kFailed
// after telling on stderr that it could not be written.
ExitCode PrintLine(absl::string_view text);

// Writes a line for people to stderr.
void Tell(absl::string_view text);

}  // namespace aulm::gateway::ctl
