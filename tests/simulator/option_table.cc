#include "tests/simulator/option_table.h"

#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/listen_address.h"
#include "tests/simulator/webhook_url.h"

namespace aulm::simulator {
namespace {

using Setter = std::function<absl::Status(absl::string_view, Options&)>;

// Setters for one field, found by a function from the options to the field.
template <typename Field>
Setter Text(Field field) {
  return [field](absl::string_view text, Options& options) {
    field(options) = std::string(text);
    return absl::OkStatus();
  };
}

template <typename Field>
Setter Switch(Field field) {
  return [field](absl::string_view, Options& options) {
    field(options) = true;
    return absl::OkStatus();
  };
}

template <typename Field>
Setter Count(Field field) {
  return [field](absl::string_view text, Options& options) {
    int64_t number = 0;
    if (!absl::SimpleAtoi(text, &number) || number < 0 || number > int64_t{1} << 40) {
      return absl::InvalidArgumentError("expected a whole number, 0 or more");
    }
    auto& target = field(options);
    target = static_cast<std::remove_reference_t<decltype(target)>>(number);
    return static_cast<int64_t>(target) == number ? absl::OkStatus()
                                                  : absl::InvalidArgumentError("the number is too large");
  };
}

template <typename Field>
Setter Milliseconds(Field field, absl::Duration unit = absl::Milliseconds(1)) {
  return [field, unit](absl::string_view text, Options& options) {
    double number = 0;
    if (!absl::SimpleAtod(text, &number) || !(number >= 0) || number > 1e12) {
      return absl::InvalidArgumentError("expected a number, 0 or more");
    }
    field(options) = number * unit;
    return absl::OkStatus();
  };
}

template <typename Field>
Setter Probability(Field field) {
  return [field](absl::string_view text, Options& options) {
    double number = 0;
    if (!absl::SimpleAtod(text, &number) || !(number >= 0 && number <= 1)) {
      return absl::InvalidArgumentError("expected a probability from 0 to 1");
    }
    field(options) = number;
    return absl::OkStatus();
  };
}

template <typename Field>
Setter Listen(Field field) {
  return [field](absl::string_view text, Options& options) {
    field(options) = std::string(text);
    return ParseListenAddress(text).status();
  };
}

// `…@ACCOUNT` at the end of `text` is cut off and returned; `default` when there is none.
std::string CutAccount(absl::string_view& text) {
  const size_t at = text.rfind('@');
  if (at == absl::string_view::npos) return "default";
  const std::string account(text.substr(at + 1));
  text = text.substr(0, at);
  return account;
}

absl::Status AddKey(absl::string_view text, Options& options) {
  ApiKey key;
  key.account = CutAccount(text);
  const size_t equals = text.find('=');
  key.text = std::string(text.substr(0, equals));
  if (equals != absl::string_view::npos) {
    if (absl::Status status = ParseApiKeyState(text.substr(equals + 1), key.state); !status.ok()) return status;
  }
  if (absl::Status status = ApiKeyRing().Put(key); !status.ok()) return status;
  options.keys.push_back(std::move(key));
  return absl::OkStatus();
}

absl::Status AddSession(absl::string_view text, Options& options) {
  Session session;
  session.account = CutAccount(text);
  const size_t equals = text.find('=');
  if (equals == absl::string_view::npos) return absl::InvalidArgumentError("expected UUID=STATE[@ACCOUNT]");
  session.id = std::string(text.substr(0, equals));
  session.state = std::string(text.substr(equals + 1));
  if (absl::Status status = SessionTable().Put(session); !status.ok()) return status;
  options.sessions.push_back(std::move(session));
  return absl::OkStatus();
}

// `[ACCOUNT=]REST`: an account name is letters, digits, dashes and underscores, so no URL is taken for one.
std::pair<std::string, std::string> SplitAccount(absl::string_view text) {
  const size_t end = text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
  if (end == absl::string_view::npos || end == 0 || text[end] != '=') return {"default", std::string(text)};
  return {std::string(text.substr(0, end)), std::string(text.substr(end + 1))};
}

absl::Status AddWebhookUrl(absl::string_view text, Options& options) {
  options.webhook_urls.push_back(SplitAccount(text));
  return ParseWebhookUrl(options.webhook_urls.back().second).status();
}

absl::Status AddWebhookSecret(absl::string_view text, Options& options) {
  options.webhook_secrets.push_back(SplitAccount(text));
  return options.webhook_secrets.back().second.empty() ? absl::InvalidArgumentError("the secret must not be empty")
                                                       : absl::OkStatus();
}

absl::Status SetStatuses(absl::string_view text, Options& options) {
  options.follow_up.statuses = absl::StrSplit(text, ',', absl::SkipEmpty());
  for (const std::string& status : options.follow_up.statuses) {
    if (status != "sent" && status != "delivered" && status != "read" && status != "played" && status != "failed") {
      return absl::InvalidArgumentError(
          absl::StrCat("'", status, "' is not one of: sent, delivered, read, played, failed"));
    }
  }
  return absl::OkStatus();
}

#define AULM_FIELD(path) [](Options& all) -> auto& { return all.path; }

std::vector<OptionRow> MakeTable() {
  return {
      {"Listening", "--listen", "ADDRESS:PORT",
       "Where the API is served (and /_simulator, the control API); port 0 takes a free one. Default 127.0.0.1:8090.",
       Listen(AULM_FIELD(listen))},
      {"", "--control-listen", "ADDRESS:PORT",
       "Serves everything here too, always by plain HTTP: for the control API where --listen is https.",
       Listen(AULM_FIELD(control_listen))},
      {"", "--tls-cert", "FILE", "PEM certificate chain: --listen then serves https. Needs --tls-key.",
       Text(AULM_FIELD(tls_certificate_file))},
      {"", "--tls-key", "FILE", "PEM key of --tls-cert.", Text(AULM_FIELD(tls_key_file))},
      {"", "--idle-timeout-ms", "MS", "An idle kept-alive connection is closed after this. Default 60000.",
       Milliseconds(AULM_FIELD(idle_timeout))},
      {"", "--max-request-bytes", "BYTES", "Larger request bodies get 413. Default 16777216.",
       Count(AULM_FIELD(max_request_bytes))},
      {"", "--exit-when-stdin-closes", "", "Ends when standard input does: no orphan when a test dies.",
       Switch(AULM_FIELD(exit_when_stdin_closes))},

      {"Keys, sessions, quotas", "--key", "KEY[=STATE][@ACCOUNT]",
       "Adds an API key; STATE is active (default), revoked, expired or deactivated. Repeatable.", AddKey},
      {"", "--session", "UUID=STATE[@ACCOUNT]",
       "Adds or changes a session: connected, disconnected, awaiting_scan, any other word (given verbatim), or "
       "disabled and not_allowed, which answer 403. Repeatable.",
       AddSession},
      {"", "--auth-failure-limit", "N",
       "Failed authentications in a row from one address before too_many_auth_failures; 0: never. Default 20.",
       Count(AULM_FIELD(auth_failure_limit))},
      {"", "--auth-cooldown-ms", "MS", "How long that lasts. Default 60000.", Milliseconds(AULM_FIELD(auth_cooldown))},
      {"", "--daily-limit", "N", "Sends per account and UTC day. Default 1000000.", Count(AULM_FIELD(daily_limit))},
      {"", "--trial-limit", "N", "Sends per account and 7 days of trial; 0: not on trial. Default 0.",
       Count(AULM_FIELD(trial_limit))},
      {"", "--max-image-bytes", "BYTES", "Raw bytes of a data URI. Default 5242880.",
       Count(AULM_FIELD(api.max_image_bytes))},

      {"Answers", "--slow-ms", "MS", "Delay of the slow magic number. Default 2000.",
       Milliseconds(AULM_FIELD(api.slow))},
      {"", "--overload-retry-after-s", "SECONDS", "Retry-After of service_unavailable. Default 2.",
       Milliseconds(AULM_FIELD(api.overload_retry_after), absl::Seconds(1))},
      {"", "--record-limit", "N", "Requests, and deliveries per account, that are kept for reading. Default 100000.",
       [](absl::string_view text, Options& options) {
         absl::Status status = Count(AULM_FIELD(record_limit))(text, options);
         options.deliveries.max_kept = options.record_limit;
         return status;
       }},
      {"", "--fast", "", "For benchmarks: sends are not recorded and nothing follows them.",
       Switch(AULM_FIELD(api.fast))},

      {"Webhooks", "--webhook-url", "[ACCOUNT=]URL", "Where webhooks go, http or https. Repeatable.", AddWebhookUrl},
      {"", "--webhook-secret", "[ACCOUNT=]SECRET", "Signing secret. Default whsec_simulator. Repeatable.",
       AddWebhookSecret},
      {"", "--webhook-ca", "FILE", "PEM authorities for https endpoints. Default: the system's.",
       Text(AULM_FIELD(webhook_ca_file))},
      {"", "--webhook-concurrency", "N", "Deliveries in flight per account. Default 8.",
       Count(AULM_FIELD(deliveries.concurrency))},
      {"", "--webhook-timeout-ms", "MS", "How long an attempt waits for its answer. Default 5000.",
       Milliseconds(AULM_FIELD(deliveries.timeout))},
      {"", "--retry-base-ms", "MS", "Wait before the second attempt, doubled each time. Default 1000.",
       Milliseconds(AULM_FIELD(deliveries.retry.base))},
      {"", "--retry-max-ms", "MS", "Ceiling of the doubling. Default 3600000.",
       Milliseconds(AULM_FIELD(deliveries.retry.ceiling))},
      {"", "--retry-attempts", "N", "Attempts per delivery, the first included; 0: without end. Default 12.",
       Count(AULM_FIELD(deliveries.retry.max_attempts))},
      {"", "--auto-disable-after", "N",
       "Failed deliveries in a row (4xx, or out of attempts) that disable the endpoint; 0: never. Default 20.",
       Count(AULM_FIELD(deliveries.auto_disable_after))},
      {"", "--count-every-attempt", "", "Attempts that are retried count towards that too.",
       Switch(AULM_FIELD(deliveries.count_every_attempt))},
      {"", "--statuses", "LIST", "What follows an accepted send. Default sent,delivered,read.", SetStatuses},
      {"", "--status-delay-ms", "MS", "Before each of them. Default 50.",
       Milliseconds(AULM_FIELD(follow_up.status_delay))},
      {"", "--echo", "", "Every recipient answers with \"echo: \" and the text.", Switch(AULM_FIELD(follow_up.echo))},
      {"", "--echo-delay-ms", "MS", "After which time. Default 200.", Milliseconds(AULM_FIELD(follow_up.echo_delay))},

      {"Faults by chance (probabilities from 0 to 1)", "--seed", "N",
       "The same seed gives the same faults for the same requests. Default 1.", Count(AULM_FIELD(fault_rates.seed))},
      {"", "--fault-drop", "P", "Request closed unanswered, not accepted.", Probability(AULM_FIELD(fault_rates.drop))},
      {"", "--fault-lose-answer", "P", "Request accepted, closed unanswered.",
       Probability(AULM_FIELD(fault_rates.lose_answer))},
      {"", "--fault-error", "P", "Request answered 502, 503 or 504.", Probability(AULM_FIELD(fault_rates.error))},
      {"", "--fault-delay", "P", "Request answered late.", Probability(AULM_FIELD(fault_rates.delay))},
      {"", "--fault-duplicate", "P", "Webhook sent once more after a success.",
       Probability(AULM_FIELD(fault_rates.duplicate))},
      {"", "--fault-reorder", "P", "Webhook overtaken by the next one.", Probability(AULM_FIELD(fault_rates.reorder))},
      {"", "--fault-webhook-delay", "P", "Webhook sent late.", Probability(AULM_FIELD(fault_rates.webhook_delay))},
      {"", "--fault-longest-delay-ms", "MS", "Late is anything up to this. Default 200.",
       Milliseconds(AULM_FIELD(fault_rates.longest_delay))},
      {"Help", "--help", "", "Prints this and ends.", Switch(AULM_FIELD(help))},
  };
}

#undef AULM_FIELD

}  // namespace

std::span<const OptionRow> OptionTable() {
  static const auto& table = *new std::vector<OptionRow>(MakeTable());
  return table;
}

}  // namespace aulm::simulator
