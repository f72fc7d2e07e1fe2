#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/event_flags.h"
#include "client_stubs/cpp/aulmctl/event_text.h"
#include "client_stubs/cpp/aulmctl/events_consume.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "client_stubs/cpp/aulmctl/stop_signals.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"

// aulmctl events follow: prints events as they come, over restarts of the gateway, until it is stopped.
namespace aulm::gateway::ctl {
namespace {

struct Flags {
  EventFlags events;
  std::string cursor_file;
  uint64_t count = 0;  // 0: without end
  ConsumeFlags consume;
};

std::string Because(const client::CallError& error) {
  return absl::StrCat(error.reason.empty() ? client::CodeName(error.code) : error.reason, ": ", OneLine(error.message));
}

client::FollowOptions FollowOptions(const Flags& flags) {
  client::FollowOptions options;
  flags.events.FillIn(options.request);
  const auto interrupted = std::make_shared<bool>(false);
  options.on_started = [interrupted](const v1::Started&) {
    if (std::exchange(*interrupted, false)) Tell("aulmctl: connected again");
  };
  options.on_interrupted = [interrupted](const client::CallError& error, absl::Duration wait) {
    *interrupted = true;
    Tell(absl::StrCat("aulmctl: ", Because(error), "; trying again in ", DurationText(wait)));
  };
  options.on_cursor_not_saved = [](const absl::Status& status) {
    Tell(absl::StrCat("aulmctl: the position is not saved: ", status.message()));
  };
  return options;
}

// Prints until stopped, until the count is reached, or until something cannot go on.
ExitCode PrintEvents(client::EventFollower& follower, const Flags& flags, const GlobalFlags& globals) {
  uint64_t printed = 0;
  while (const std::optional<v1::Event> event = follower.Next()) {
    // Returns before the event counts as handled, so that it is shown next time.
    if (PrintLine(globals.json ? JsonLine(*event) : EventText(*event)) != ExitCode::kDone) return ExitCode::kFailed;
    if (flags.count > 0 && ++printed == flags.count) {
      const absl::Status saved = follower.Commit();
      if (saved.ok()) return ExitCode::kDone;
      Tell(absl::StrCat("aulmctl: the position is not saved: ", saved.message()));
      return ExitCode::kFailed;
    }
  }
  if (follower.error().has_value()) return ReportCallError(*follower.error(), CallKind::kRead, globals);
  return ExitCode::kDone;
}

ExitCode Run(const Flags& flags, const GlobalFlags& globals) {
  if (!flags.consume.subscription.empty()) {
    ConsumeFlags consume = flags.consume;
    consume.count = flags.count;
    consume.raw = flags.events.raw;
    return ConsumeEvents(consume, globals);
  }
  StopSignals signals;  // before gRPC has threads
  const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = globals.OpenChannel();
  if (!channel.ok()) return ReportUsage(channel.status().message());
  std::optional<client::FileCursorStore> store;
  client::FollowOptions options = FollowOptions(flags);
  if (!flags.cursor_file.empty()) options.cursor_store = &store.emplace(flags.cursor_file);
  client::EventFollower follower(*channel, std::move(options));
  signals.Listen([&follower] { follower.Stop(); });
  return PrintEvents(follower, flags, globals);
}

}  // namespace

void AddEventsFollow(CLI::App& parent, Invocation& invocation) {
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = *parent.add_subcommand("follow", "Print events as they come; resumes by itself, ends by ^C");
  flags->events.AddTo(app, "latest");
  app.add_option("--cursor-file", flags->cursor_file,
                 "Keep the position in this file and go on from it next time; --from then holds for the first time")
      ->type_name("FILE");
  app.add_option("--count", flags->count, "End after this many events")
      ->type_name("N")
      ->check(CLI::Range(uint64_t{1}, UINT64_MAX).description(""));
  CLI::Option* const subscription =
      app.add_option("--subscription", flags->consume.subscription,
                     "Consume this durable subscription: each event is acknowledged once it is printed")
          ->type_name("NAME");
  // Where it is and what it selects lives on the server.
  for (const char* const name :
       {"--from", "--type", "--session", "--peer", "--message", "--status", "--test", "--cursor-file"}) {
    subscription->excludes(app.get_option(name));
  }
  app.add_option("--consumer", flags->consume.consumer_id, "How this consumer is called, with --subscription")
      ->type_name("ID")
      ->needs(subscription);
  app.add_flag("--take-over", flags->consume.take_over, "End the consumer that now has it; mode cursor")
      ->needs(subscription);
  app.callback(
      [flags, &invocation] { invocation.run = [flags](const GlobalFlags& globals) { return Run(*flags, globals); }; });
}

}  // namespace aulm::gateway::ctl
