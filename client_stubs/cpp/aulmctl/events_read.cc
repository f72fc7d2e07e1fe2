#include <memory>

#include "absl/strings/str_cat.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/event_flags.h"
#include "client_stubs/cpp/aulmctl/event_text.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"

// aulmctl events read: prints what is in the log, and ends.
namespace aulm::gateway::ctl {
namespace {

struct Flags {
  EventFlags events;
  uint32_t page_size = 100;
  bool all = false;
};

ExitCode PrintPage(const v1::ReadEventsResponse& page, const GlobalFlags& globals) {
  for (const v1::Event& event : page.events()) {
    if (PrintLine(globals.json ? JsonLine(event) : EventText(event)) != ExitCode::kDone) return ExitCode::kFailed;
  }
  return ExitCode::kDone;
}

ExitCode Run(const Flags& flags, const GlobalFlags& globals) {
  const absl::StatusOr<client::GatewayClient> gateway = globals.OpenClient();
  if (!gateway.ok()) return ReportUsage(gateway.status().message());
  v1::ReadEventsRequest request;
  flags.events.FillIn(request);
  request.set_page_size(flags.page_size);
  while (true) {
    const client::CallResult<v1::ReadEventsResponse> page = gateway->ReadEvents(request);
    if (!page.ok()) return ReportCallError(page.error(), CallKind::kRead, globals);
    if (PrintPage(*page, globals) != ExitCode::kDone) return ExitCode::kFailed;
    if (page->end_of_log()) return ExitCode::kDone;
    // An empty page before the end only says that a filter left everything out so far.
    if (!flags.all && !page->events().empty()) {
      Tell(absl::StrCat("aulmctl: there is more: --from ", CursorText(page->next_cursor())));
      return ExitCode::kDone;
    }
    request.set_after_cursor(page->next_cursor());
  }
}

}  // namespace

void AddEventsRead(CLI::App& parent, Invocation& invocation) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = *parent.add_subcommand("read", "Print events that are in the log, and end");
  flags->events.AddTo(app, "earliest");
  app.add_option("--page-size", flags->page_size, "Events a call")
      ->type_name("N")
      ->check(CLI::Range(1, 1000).description(""))
      ->capture_default_str();
  app.add_flag("--all", flags->all, "Go on to the end of the log, not one page only");
  app.callback(
      [flags, &invocation] { invocation.run = [flags](const GlobalFlags& globals) { return Run(*flags, globals); }; });
}

}  // namespace aulm::gateway::ctl
