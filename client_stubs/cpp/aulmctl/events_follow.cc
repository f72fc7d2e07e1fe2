#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/client/file_cursor_store.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/event_flags.h"
#include "client_stubs/cpp/aulmctl/event_notices.h"
#include "client_stubs/cpp/aulmctl/event_text.h"
#include "client_stubs/cpp/aulmctl/events_consume.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "client_stubs/cpp/aulmctl/stop_signals.h"

// aulmctl events follow: prints events as they come, over restarts of the gateway, until it is stopped.
namespace aulm::gateway::ctl {
namespace {

// What is printed of a durable subscription counts as acknowledged this much later at most.
constexpr absl::Duration kAcknowledgeInterval = absl::Milliseconds(200);

struct Flags {
  EventFlags events;
  std::string cursor_file;
  uint64_t count = 0;  // 0: without end
  std::string subscription;
  std::string consumer_id;
  bool take_over = false;
};

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

ExitCode Follow(const Flags& flags, client::FollowOptions options, const client::GatewayClient& gateway,
                const GlobalFlags& globals, StopSignals& signals) {
  options.notices = NoticesOnStderr();
  client::EventFollower follower(gateway.channel(), std::move(options));
  signals.Listen([&follower] { follower.Stop(); });
  return PrintEvents(follower, flags, globals);
}

// A durable subscription: which way it is followed is the mode's.
ExitCode FollowDurable(const Flags& flags, const client::GatewayClient& gateway, const GlobalFlags& globals,
                       StopSignals& signals) {
  v1::GetSubscriptionRequest request;
  request.set_name(flags.subscription);
  const client::CallResult<v1::GetSubscriptionResponse> found = gateway.GetSubscription(request);
  if (!found.ok()) return ReportCallError(found.error(), CallKind::kRead, globals);
  if (found->subscription().mode() == v1::SUBSCRIPTION_MODE_SHARED) {
    if (flags.take_over) {
      return ReportUsage(absl::StrCat("--take-over: ", flags.subscription, " has mode shared, whose consumers share"));
    }
    return ConsumeEvents({flags.subscription, flags.consumer_id, flags.events.raw, flags.count}, gateway, globals,
                         signals);
  }
  client::FollowOptions options;
  options.request.set_subscription(flags.subscription);
  options.request.set_consumer_id(flags.consumer_id);
  options.request.set_take_over(flags.take_over);
  options.request.set_include_raw_body(flags.events.raw);
  options.cursor_save_interval = kAcknowledgeInterval;
  return Follow(flags, std::move(options), gateway, globals, signals);
}

ExitCode Run(const Flags& flags, const GlobalFlags& globals) {
  StopSignals signals;  // before gRPC has threads
  const absl::StatusOr<client::GatewayClient> gateway = globals.OpenClient();
  if (!gateway.ok()) return ReportUsage(gateway.status().message());
  if (!flags.subscription.empty()) return FollowDurable(flags, *gateway, globals, signals);
  std::optional<client::FileCursorStore> store;
  client::FollowOptions options;
  flags.events.FillIn(options.request);
  if (!flags.cursor_file.empty()) options.cursor_store = &store.emplace(flags.cursor_file);
  return Follow(flags, std::move(options), *gateway, globals, signals);
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
      app.add_option("--subscription", flags->subscription,
                     "Consume this durable subscription: each event is acknowledged once it is printed")
          ->type_name("NAME");
  // Where it is and what it selects lives on the server.
  for (const char* const name :
       {"--from", "--type", "--session", "--peer", "--message", "--status", "--test", "--cursor-file"}) {
    subscription->excludes(app.get_option(name));
  }
  app.add_option("--consumer", flags->consumer_id, "How this consumer is called, with --subscription")
      ->type_name("ID")
      ->needs(subscription);
  app.add_flag("--take-over", flags->take_over, "End the consumer that now has it; mode cursor")->needs(subscription);
  app.callback(
      [flags, &invocation] { invocation.run = [flags](const GlobalFlags& globals) { return Run(*flags, globals); }; });
}

}  // namespace aulm::gateway::ctl
