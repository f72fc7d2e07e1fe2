#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/client/call_error.h"
#include "client_stubs/cpp/aulmctl/exit_code.h"
#include "client_stubs/cpp/aulmctl/global_flags.h"

namespace aulm::gateway::ctl {

// What failed: for a send, its outcome matters most.
enum class CallKind { kRead, kSend };

// Prints `error` on stderr, as lines for people (code, reason, message, what is wrong, what to do) or as one JSON
// object, and says what it means for the shell.
ExitCode ReportCallError(const client::CallError& error, CallKind kind, const GlobalFlags& globals);

// Prints that flags, values or files are wrong, and returns kUsage.
ExitCode ReportUsage(absl::string_view problem);

// Prints that stdout cannot be written, and returns kFailed.
ExitCode ReportUnwritableOutput();

}  // namespace aulm::gateway::ctl
