#include "client_stubs/cpp/aulmctl/program.h"

#include "CLI/CLI.hpp"
#include "absl/strings/str_cat.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/exit_code.h"
#include "client_stubs/cpp/aulmctl/invocation.h"

namespace aulm::gateway::ctl {
namespace {

// A command that only groups others.
CLI::App& AddGroup(CLI::App& parent, const char* name, const char* text) {
  CLI::App& group = *parent.add_subcommand(name, text);
  group.require_subcommand(1);
  return group;
}

}  // namespace

ExitCode RunProgram(int argc, char** argv) {
  Invocation invocation;
  CLI::App app("Talks to an aulm gateway: sends WhatsApp messages, follows events.", "aulmctl");
  app.fallthrough();  // global flags may stand anywhere; commands inherit it
  app.require_subcommand(1);
  app.set_version_flag("--version", "aulmctl " AULMCTL_VERSION);
  app.get_formatter()->column_width(36);
  app.footer(absl::StrCat("Every command takes the global options: aulmctl --help.\n\n", kExitCodesHelp));
  invocation.globals.AddTo(app);

  CLI::App& send = AddGroup(app, "send", "Send a message");
  AddSendText(send, invocation);
  AddSendImage(send, invocation);
  CLI::App& session = AddGroup(app, "session", "Look at a WhatsApp session");
  AddSessionStatus(session, invocation);
  CLI::App& events = AddGroup(app, "events", "Follow or read what aulm's webhooks told");
  AddEventsFollow(events, invocation);
  AddEventsRead(events, invocation);
  CLI::App& subscriptions = AddGroup(app, "subscriptions", "Keep durable subscriptions and their parked events");
  AddSubscriptions(subscriptions, invocation);
  AddCompletion(app, invocation);
  app.footer(kExitCodesHelp);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? ExitCode::kDone : ExitCode::kUsage;
  }
  return invocation.run(invocation.globals);
}

}  // namespace aulm::gateway::ctl
