#pragma once

namespace aulm::gateway::ctl {

// What aulmctl tells the shell. Stable: scripts rely on it, and --help states it (kExitCodesHelp).
enum class ExitCode {
  kDone = 0,
  kFailed = 1,          // a repeat would fail too; a send was not made
  kUsage = 2,           // wrong flags, values or files; nothing was asked of the gateway
  kOutcomeUnknown = 3,  // a send that may or may not have been made
  kTryLater = 4,        // failed for now, and a send was not made: a repeat may work
};

inline constexpr char kExitCodesHelp[] =
    "Exit codes:\n"
    "  0  done\n"
    "  1  failed, and a repeat would fail too; a send was not made\n"
    "  2  wrong flags, values or files; the gateway was not asked\n"
    "  3  nobody knows whether the send was made: look before you repeat it\n"
    "  4  failed for now (unreachable, quota, overload); a send was not made, and a repeat may work\n";

}  // namespace aulm::gateway::ctl
