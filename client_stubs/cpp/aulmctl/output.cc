#include "client_stubs/cpp/aulmctl/output.h"

#include <cstdio>

#include "client_stubs/cpp/aulmctl/error_report.h"

namespace aulm::gateway::ctl {

ExitCode PrintLine(absl::string_view text) {
  const bool written = std::fwrite(text.data(), 1, text.size(), stdout) == text.size() &&
                       std::fputc('\n', stdout) != EOF && std::fflush(stdout) == 0;
  return written ? ExitCode::kDone : ReportUnwritableOutput();
}

void Tell(absl::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

}  // namespace aulm::gateway::ctl
