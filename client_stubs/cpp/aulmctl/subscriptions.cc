#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client_stubs/cpp/aulmctl/commands.h"
#include "client_stubs/cpp/aulmctl/error_report.h"
#include "client_stubs/cpp/aulmctl/event_flags.h"
#include "client_stubs/cpp/aulmctl/event_text.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/output.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"
#include "google/protobuf/util/time_util.h"

// aulmctl subscriptions …: makes, shows, moves and deletes durable subscriptions, and looks after parked events. All of
// them are one call and what it answers, so they share a file.
namespace aulm::gateway::ctl {
namespace {

using google::protobuf::util::TimeUtil;

std::string Text(const google::protobuf::Duration& duration) {
  return DurationText(absl::Milliseconds(TimeUtil::DurationToMilliseconds(duration)));
}

absl::string_view ModeText(const v1::Subscription& subscription) {
  return subscription.mode() == v1::SUBSCRIPTION_MODE_SHARED ? "shared" : "cursor";
}

std::string SubscriptionText(const v1::Subscription& subscription) {
  const v1::SubscriptionStats& stats = subscription.stats();
  std::string text =
      absl::StrFormat("name         %s\nmode         %s\ncreated      %s\nlag          %d events, %s\nconsumers    %d",
                      subscription.name(), ModeText(subscription), TimeText(subscription.create_time()),
                      stats.lag_events(), Text(stats.lag()), stats.consumers());
  if (subscription.mode() == v1::SUBSCRIPTION_MODE_SHARED) {
    absl::StrAppendFormat(&text, "\noutstanding  %d, the oldest for %s\nparked       %d\ndeadline     %s, %d attempts",
                          stats.outstanding_events(), Text(stats.oldest_outstanding()), stats.parked_events(),
                          Text(subscription.ack_deadline()), subscription.max_attempts());
  }
  absl::StrAppend(&text, "\nposition     ", CursorText(stats.acknowledged_cursor()));
  return text;
}

// One line of the list.
std::string SubscriptionLine(const v1::Subscription& subscription) {
  const v1::SubscriptionStats& stats = subscription.stats();
  return absl::StrFormat("%-24s  %-6s  lag %d (%s)  outstanding %d  parked %d  consumers %d", subscription.name(),
                         ModeText(subscription), stats.lag_events(), Text(stats.lag()), stats.outstanding_events(),
                         stats.parked_events(), stats.consumers());
}

std::string ParkedText(const v1::ParkedEvent& parked) {
  return absl::StrFormat("%s\n    parked %s after %d attempts (%s)  %s", EventText(parked.event()),
                         TimeText(parked.parked_time()), parked.attempts(),
                         parked.reason() == v1::PARK_REASON_ATTEMPTS ? "attempts used up" : "by a consumer",
                         CursorText(parked.event().cursor()));
}

// One call; its response goes to `print`.
template <typename Call, typename Print>
ExitCode Ask(const GlobalFlags& globals, Call call, Print print) {
  const absl::StatusOr<client::GatewayClient> gateway = globals.OpenClient();
  if (!gateway.ok()) return ReportUsage(gateway.status().message());
  const auto response = call(*gateway);
  if (!response.ok()) return ReportCallError(response.error(), CallKind::kRead, globals);
  return print(*response);
}

// The command's work: a request, ready to be asked.
template <typename Run>
void Runs(CLI::App& app, Invocation& invocation, Run run) {
  app.callback([run = std::move(run), &invocation] { invocation.run = run; });
}

CLI::App& AddNamed(CLI::App& parent, const char* command, const char* text, std::string& name) {
  CLI::App& app = *parent.add_subcommand(command, text);
  app.add_option("name", name, "The subscription")->type_name("NAME")->required();
  return app;
}

struct CreateFlags {
  std::string name;
  std::string mode = "shared";
  EventFlags events;
  std::string ack_deadline, retry_delay, parked_retention;
  uint32_t max_attempts = 0;
};

std::string CheckDuration(const std::string& text) {
  absl::Duration duration;
  return absl::ParseDuration(text, &duration) ? "" : absl::StrCat(text, " is no duration such as 30s or 5m");
}

void SetDuration(const std::string& text, google::protobuf::Duration* (v1::Subscription::*field)(),
                 v1::Subscription& subscription) {
  absl::Duration duration;
  if (text.empty() || !absl::ParseDuration(text, &duration)) return;
  *(subscription.*field)() = TimeUtil::MillisecondsToDuration(absl::ToInt64Milliseconds(duration));
}

void AddCreate(CLI::App& parent, Invocation& invocation) {
  const auto flags = std::make_shared<CreateFlags>();
  CLI::App& app = AddNamed(parent, "create", "Make a durable subscription", flags->name);
  app.add_option("--mode", flags->mode, "shared: spread over all consumers; cursor: one at a time, in order")
      ->type_name("shared|cursor")
      ->check([](const std::string& text) { return text == "shared" || text == "cursor" ? "" : "shared or cursor"; })
      ->capture_default_str();
  flags->events.AddTo(app, "latest");
  app.remove_option(app.get_option("--raw"));
  const auto duration = [&](const char* name, std::string& value, const char* text) {
    app.add_option(name, value, text)->type_name("DURATION")->check(CheckDuration);
  };
  duration("--ack-deadline", flags->ack_deadline, "Deliver again after this long without a settlement (30s)");
  duration("--retry-delay", flags->retry_delay, "The wait before that, and after a retry (1s)");
  duration("--parked-retention", flags->parked_retention, "How long parked events are kept (168h)");
  app.add_option("--max-attempts", flags->max_attempts, "Park an event after so many deliveries (10)")->type_name("N");
  Runs(app, invocation, [flags](const GlobalFlags& globals) {
    v1::SubscribeEventsRequest start;
    flags->events.FillIn(start);
    v1::CreateSubscriptionRequest request;
    v1::Subscription& subscription = *request.mutable_subscription();
    subscription.set_name(flags->name);
    subscription.set_mode(flags->mode == "cursor" ? v1::SUBSCRIPTION_MODE_CURSOR : v1::SUBSCRIPTION_MODE_SHARED);
    *subscription.mutable_filter() = start.filter();
    if (start.has_position()) subscription.set_position(start.position());
    if (start.has_after_cursor()) subscription.set_after_cursor(start.after_cursor());
    if (start.has_start_time()) *subscription.mutable_start_time() = start.start_time();
    SetDuration(flags->ack_deadline, &v1::Subscription::mutable_ack_deadline, subscription);
    SetDuration(flags->retry_delay, &v1::Subscription::mutable_retry_delay, subscription);
    SetDuration(flags->parked_retention, &v1::Subscription::mutable_parked_retention, subscription);
    subscription.set_max_attempts(flags->max_attempts);
    return Ask(
        globals, [&](const client::GatewayClient& gateway) { return gateway.CreateSubscription(request); },
        [&](const auto& response) {
          return PrintLine(globals.json ? JsonLine(response.subscription())
                                        : SubscriptionText(response.subscription()));
        });
  });
}

void AddGet(CLI::App& parent, Invocation& invocation) {
  const auto name = std::make_shared<std::string>();
  CLI::App& app = AddNamed(parent, "get", "Show a subscription and how far it is", *name);
  Runs(app, invocation, [name](const GlobalFlags& globals) {
    v1::GetSubscriptionRequest request;
    request.set_name(*name);
    return Ask(
        globals, [&](const client::GatewayClient& gateway) { return gateway.GetSubscription(request); },
        [&](const auto& response) {
          return PrintLine(globals.json ? JsonLine(response.subscription())
                                        : SubscriptionText(response.subscription()));
        });
  });
}

void AddList(CLI::App& parent, Invocation& invocation) {
  CLI::App& app = *parent.add_subcommand("list", "Show all subscriptions, one a line");
  Runs(app, invocation, [](const GlobalFlags& globals) {
    v1::ListSubscriptionsRequest request;
    ExitCode code = ExitCode::kDone;
    do {
      code = Ask(
          globals, [&](const client::GatewayClient& gateway) { return gateway.ListSubscriptions(request); },
          [&](const auto& response) {
            request.set_page_token(response.next_page_token());
            for (const v1::Subscription& subscription : response.subscriptions()) {
              const ExitCode printed =
                  PrintLine(globals.json ? JsonLine(subscription) : SubscriptionLine(subscription));
              if (printed != ExitCode::kDone) return printed;
            }
            return ExitCode::kDone;
          });
    } while (code == ExitCode::kDone && !request.page_token().empty());
    return code;
  });
}

void AddDelete(CLI::App& parent, Invocation& invocation) {
  const auto name = std::make_shared<std::string>();
  CLI::App& app = AddNamed(parent, "delete", "Delete a subscription with its position and parked events", *name);
  Runs(app, invocation, [name](const GlobalFlags& globals) {
    v1::DeleteSubscriptionRequest request;
    request.set_name(*name);
    return Ask(
        globals, [&](const client::GatewayClient& gateway) { return gateway.DeleteSubscription(request); },
        [](const auto&) { return ExitCode::kDone; });
  });
}

void AddSeek(CLI::App& parent, Invocation& invocation) {
  struct Flags {
    std::string name;
    std::string to;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = AddNamed(parent, "seek", "Go on from another place of the log", flags->name);
  app.add_option("--to", flags->to, "An end, a time, a duration before now, a cursor")
      ->type_name("earliest|latest|TIME|DURATION|cursor:BASE64")
      ->check([](const std::string& text) { return std::string(ParseStart(text, absl::Now()).status().message()); })
      ->required();
  Runs(app, invocation, [flags](const GlobalFlags& globals) {
    v1::SeekSubscriptionRequest request;
    request.set_name(flags->name);
    const Start start = ParseStart(flags->to, absl::Now()).value_or(v1::START_POSITION_LATEST);
    if (const auto* position = std::get_if<v1::StartPosition>(&start)) request.set_position(*position);
    if (const auto* cursor = std::get_if<std::string>(&start)) request.set_after_cursor(*cursor);
    if (const auto* time = std::get_if<absl::Time>(&start)) {
      *request.mutable_start_time() = TimeUtil::MillisecondsToTimestamp(absl::ToUnixMillis(*time));
    }
    return Ask(
        globals, [&](const client::GatewayClient& gateway) { return gateway.SeekSubscription(request); },
        [&](const auto& response) {
          return PrintLine(globals.json ? JsonLine(response.subscription())
                                        : SubscriptionText(response.subscription()));
        });
  });
}

void AddParked(CLI::App& parent, Invocation& invocation) {
  const auto name = std::make_shared<std::string>();
  CLI::App& app = AddNamed(parent, "parked", "Show the parked events, the oldest parked first", *name);
  Runs(app, invocation, [name](const GlobalFlags& globals) {
    v1::ListParkedEventsRequest request;
    request.set_subscription(*name);
    ExitCode code = ExitCode::kDone;
    do {
      code = Ask(
          globals, [&](const client::GatewayClient& gateway) { return gateway.ListParkedEvents(request); },
          [&](const auto& response) {
            request.set_page_token(response.next_page_token());
            for (const v1::ParkedEvent& parked : response.parked_events()) {
              const ExitCode printed = PrintLine(globals.json ? JsonLine(parked) : ParkedText(parked));
              if (printed != ExitCode::kDone) return printed;
            }
            return ExitCode::kDone;
          });
    } while (code == ExitCode::kDone && !request.page_token().empty());
    return code;
  });
}

void AddReplay(CLI::App& parent, Invocation& invocation) {
  struct Flags {
    std::string name;
    std::vector<std::string> cursors;
    bool all = false;
  };
  const auto flags = std::make_shared<Flags>();
  CLI::App& app = AddNamed(parent, "replay", "Put parked events back to be delivered", flags->name);
  CLI::Option* const cursors =
      app.add_option("--event", flags->cursors, "This one, as parked shows it; may be repeated")
          ->type_name("cursor:BASE64")
          ->check([](const std::string& text) {
            const auto start = ParseStart(text, absl::Now());
            const bool cursor = start.ok() && std::holds_alternative<std::string>(*start);
            return cursor ? "" : absl::StrCat(text, " is no cursor:BASE64");
          });
  app.add_flag("--all", flags->all, "All of them")->excludes(cursors);
  Runs(app, invocation, [flags](const GlobalFlags& globals) {
    v1::ReplayParkedEventsRequest request;
    request.set_subscription(flags->name);
    request.set_all(flags->all);
    for (const std::string& cursor : flags->cursors) {
      request.add_cursors(std::get<std::string>(*ParseStart(cursor, absl::Now())));
    }
    return Ask(
        globals, [&](const client::GatewayClient& gateway) { return gateway.ReplayParkedEvents(request); },
        [&](const auto& response) {
          return PrintLine(globals.json ? JsonLine(response)
                                        : absl::StrCat(response.replayed_events(), " put back to be delivered"));
        });
  });
}

}  // namespace

void AddSubscriptions(CLI::App& parent, Invocation& invocation) {
  AddCreate(parent, invocation);
  AddGet(parent, invocation);
  AddList(parent, invocation);
  AddDelete(parent, invocation);
  AddSeek(parent, invocation);
  AddParked(parent, invocation);
  AddReplay(parent, invocation);
}

}  // namespace aulm::gateway::ctl
