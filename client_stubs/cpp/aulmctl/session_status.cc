#include <memory>
#include <string>

#include "absl/strings/str_format.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"

// aulmctl session status: what aulm says of a session.
namespace aulm::gateway::ctl {
namespace {

std::string SessionText(const v1::Session& session) {
  return absl::StrFormat(
      "session   %s\nstate     %s%s\nobserved  %s", OneLine(session.session_id()), OneLine(session.aulm_state()),
      session.suspect() ? ", yet its accepted sends get no status" : "", TimeText(session.observed_time()));
}

ExitCode Run(const std::string& session_id, const GlobalFlags& globals) {
  const absl::StatusOr<client::GatewayClient> gateway = globals.OpenClient();
  if (!gateway.ok()) return ReportUsage(gateway.status().message());
  const client::CallResult<v1::GetSessionStatusResponse> status = gateway->GetSessionStatus(session_id);
  if (!status.ok()) return ReportCallError(status.error(), CallKind::kRead, globals);
  return PrintLine(globals.json ? JsonLine(status->session()) : SessionText(status->session()));
}

}  // namespace

void AddSessionStatus(CLI::App& parent, Invocation& invocation) {
  const auto session_id = std::make_shared<std::string>();
  CLI::App& app = *parent.add_subcommand("status", "Ask aulm for a session's state");
  app.add_option("session", *session_id, "The WhatsApp session, as aulm's dashboard shows it")
      ->type_name("UUID")
      ->required();
  app.callback([session_id, &invocation] {
    invocation.run = [session_id](const GlobalFlags& globals) { return Run(*session_id, globals); };
  });
}

}  // namespace aulm::gateway::ctl
