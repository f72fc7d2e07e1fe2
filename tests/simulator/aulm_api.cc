#include "tests/simulator/aulm_api.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "tests/simulator/aulm_error.h"
#include "tests/simulator/json_string.h"
#include "tests/simulator/timestamps.h"
#include "tests/simulator/uuid.h"

namespace aulm::simulator {
namespace {

constexpr absl::string_view kSendText = "/v1/messages/send-text";
constexpr absl::string_view kSendImage = "/v1/messages/send-image";
constexpr absl::string_view kSessions = "/v1/sessions/";
constexpr absl::string_view kStatus = "/status";

// Seconds, rounded up so that nobody is told to come back too early.
int64_t WholeSeconds(absl::Duration duration) { return absl::ToInt64Seconds(absl::Ceil(duration, absl::Seconds(1))); }

bool IsSend(absl::string_view path) { return path == kSendText || path == kSendImage; }

bool HasHeader(const HttpAnswer& answer, absl::string_view name) {
  return std::any_of(answer.headers.begin(), answer.headers.end(),
                     [name](const auto& header) { return absl::EqualsIgnoreCase(header.first, name); });
}

std::string Quoted(absl::string_view text) {
  std::string quoted;
  AppendJsonString(quoted, text);
  return quoted;
}

}  // namespace

struct AulmApi::Exchange {
  explicit Exchange(const HttpRequest& incoming) : request(incoming) {}

  const HttpRequest& request;
  const absl::Time now = absl::Now();
  const std::string request_id = NewUuid();
  const ApiKey* key = nullptr;
  Account* account = nullptr;
  std::string message_id;  // of an accepted send
};

bool AulmApi::DropUnread(absl::string_view method, absl::string_view path) {
  return !state_.plan.empty() && state_.plan.TakeUnreadDrop(method, path);
}

HttpAnswer AulmApi::Answer(const HttpRequest& request) {
  Exchange exchange(request);
  std::optional<Fault> fault;
  if (!state_.plan.empty()) fault = state_.plan.Take(request.method, request.path, request.body);
  if (!fault) fault = state_.dice.DrawApi();

  HttpAnswer answer;
  const bool processed =
      !fault || (fault->drop != Fault::Drop::kAfterRead && (fault->accepted || !fault->replaces_answer()));
  if (processed) answer = Process(exchange);
  if (fault) {
    if (fault->replaces_answer()) answer = Replacement(exchange, *fault);
    answer.delay += fault->delay;
    answer.reset = fault->reset;
    if (fault->drop == Fault::Drop::kMidAnswer) answer.ending = HttpAnswer::Ending::kHalf;
    if (fault->drop == Fault::Drop::kAfterRead || fault->drop == Fault::Drop::kAnswer) {
      answer.ending = HttpAnswer::Ending::kUnanswered;
    }
  }
  if (!HasHeader(answer, "x-request-id")) answer.headers.emplace_back("x-request-id", exchange.request_id);
  if (!settings_.fast && state_.log.enabled()) {
    RecordedRequest& recorded = state_.log.Add(request);
    recorded.answered_status = answer.ending == HttpAnswer::Ending::kUnanswered ? 0 : answer.status;
    recorded.request_id = exchange.request_id;
    recorded.message_id = exchange.message_id;
  }
  return answer;
}

HttpAnswer AulmApi::Process(Exchange& exchange) {
  if (const absl::Duration left = state_.throttle.CooldownLeft(exchange.request.remote_address, exchange.now);
      left > absl::ZeroDuration()) {
    return Error(exchange, "too_many_auth_failures", "", absl::StrCat(WholeSeconds(left)));
  }
  if (const absl::string_view code = Authenticate(exchange); !code.empty()) {
    state_.throttle.RecordFailure(exchange.request.remote_address, exchange.now);
    return Error(exchange, code);
  }
  state_.throttle.RecordSuccess(exchange.request.remote_address);

  absl::string_view path = exchange.request.path;
  if (exchange.request.method == "POST" && path == kSendText) return Send(exchange, SendRequest::Kind::kText);
  if (exchange.request.method == "POST" && path == kSendImage) return Send(exchange, SendRequest::Kind::kImage);
  if (exchange.request.method == "GET" && absl::ConsumePrefix(&path, kSessions) &&
      absl::ConsumeSuffix(&path, kStatus)) {
    return Status(exchange, path);
  }
  // What aulm says here is not documented.
  return JsonAnswer(404, AulmErrorBody("not_found", "There is no such endpoint."));
}

absl::string_view AulmApi::Authenticate(Exchange& exchange) {
  const absl::string_view* header = exchange.request.FindHeader("authorization");
  if (header == nullptr) return "missing_authorization";
  const size_t space = header->find(' ');
  if (!absl::EqualsIgnoreCase(header->substr(0, space), "bearer")) return "invalid_authorization";
  const absl::string_view text =
      space == absl::string_view::npos ? "" : absl::StripAsciiWhitespace(header->substr(space));
  exchange.key = state_.keys.Find(text);
  if (exchange.key == nullptr) return "invalid_api_key";
  exchange.account = &state_.accounts.Get(exchange.key->account);
  return ApiKeyErrorCode(exchange.key->state);
}

absl::string_view AulmApi::SessionError(const Session* session) {
  if (session == nullptr) return "session_not_found";
  if (session->is_disabled()) return "session_disabled";
  if (session->is_not_allowed()) return "session_not_allowed";
  return "";
}

HttpAnswer AulmApi::Status(Exchange& exchange, absl::string_view session_id) {
  if (!IsUuid(session_id)) return Error(exchange, "invalid_request", "session id: must be a uuid");
  const Session* session = state_.sessions.Find(session_id, exchange.account->name);
  if (const absl::string_view code = SessionError(session); !code.empty()) return Error(exchange, code);
  return JsonAnswer(200, absl::StrCat(R"({"data":{"session_id":)", Quoted(session->id), R"(,"status":)",
                                      Quoted(session->state), R"(},"request_id":")", exchange.request_id, "\"}"));
}

HttpAnswer AulmApi::Send(Exchange& exchange, SendRequest::Kind kind) {
  SendRequest send;
  if (const auto refusal = ParseSendRequest(kind, exchange.request.body, settings_.max_image_bytes, send)) {
    return Error(exchange, refusal->code, refusal->message);
  }
  const Session* session = state_.sessions.Find(send.session_id, exchange.account->name);
  if (const absl::string_view code = SessionError(session); !code.empty()) return Error(exchange, code);
  if (!session->is_connected()) return Error(exchange, "session_not_ready");

  const MagicNumber* magic = FindMagicNumber(send.to);
  if (magic != nullptr && magic->effect == MagicNumber::Effect::kError) return Error(exchange, magic->code);
  if (magic != nullptr && magic->effect == MagicNumber::Effect::kDrop) {
    HttpAnswer answer;
    answer.ending = HttpAnswer::Ending::kUnanswered;
    return answer;
  }
  Quota& quota = exchange.account->quota;
  Quota::Slot slot;
  switch (quota.Take(exchange.now, slot)) {
    case Quota::Refusal::kNone:
      break;
    case Quota::Refusal::kDaily:
      return Error(exchange, "daily_quota_exceeded");
    case Quota::Refusal::kTrial:
      return Error(exchange, "trial_quota_exceeded");
  }
  HttpAnswer answer = Accept(exchange, send, magic);
  if (const AulmErrorRow* row = FindAulmError(magic == nullptr ? "" : magic->code); row != nullptr) {
    if (row->slot_refunded) quota.Refund(slot);
    return Error(exchange, row->code);
  }
  return answer;
}

HttpAnswer AulmApi::Accept(Exchange& exchange, const SendRequest& send, const MagicNumber* magic) {
  const bool simulated = exchange.key->is_test();
  exchange.message_id = simulated ? absl::StrCat("sim_", NewUuid()) : NewEngineMessageId();
  // session_id and `to` are checked and the ids are ours: nothing here needs escaping.
  HttpAnswer answer =
      JsonAnswer(201, absl::StrCat(R"({"data":{"message_id":")", exchange.message_id, R"(","session_id":")",
                                   send.session_id, R"(","to":")", send.to, R"(","status":"sent","simulated":)",
                                   simulated ? "true" : "false", R"(},"request_id":")", exchange.request_id, "\"}"));
  AddRateLimit(answer, exchange.account->quota.Read(Quota::Refusal::kNone, exchange.now));
  if (!settings_.fast) state_.follow_up.Accepted(*exchange.account, send, exchange.message_id, magic);
  if (magic != nullptr && magic->effect == MagicNumber::Effect::kSlow) answer.delay = settings_.slow;
  if (magic != nullptr && magic->effect == MagicNumber::Effect::kLoseAnswer) {
    answer.ending = HttpAnswer::Ending::kUnanswered;
  }
  return answer;
}

void AulmApi::AddRateLimit(HttpAnswer& answer, const Quota::Reading& reading) {
  if (reading.reset != last_reset_) {
    last_reset_ = reading.reset;
    last_reset_text_ = Iso8601(reading.reset);
  }
  answer.headers.emplace_back("x-ratelimit-limit", absl::StrCat(reading.limit));
  answer.headers.emplace_back("x-ratelimit-remaining", absl::StrCat(reading.remaining));
  answer.headers.emplace_back("x-ratelimit-reset", last_reset_text_);
}

HttpAnswer AulmApi::Error(const Exchange& exchange, absl::string_view code, absl::string_view message,
                          absl::string_view retry_after) {
  const AulmErrorRow* row = FindAulmError(code);
  HttpAnswer answer = JsonAnswer(row->http_status, AulmErrorBody(code, message.empty() ? row->message : message));
  std::string wait(retry_after);
  if (row->quota && IsSend(exchange.request.path)) {
    Account& account = exchange.account != nullptr ? *exchange.account : state_.accounts.Get("default");
    const bool trial = code == "trial_quota_exceeded";
    Quota::Reading reading = account.quota.Read(trial ? Quota::Refusal::kTrial : Quota::Refusal::kDaily, exchange.now);
    reading.remaining = 0;  // also when the error was asked for and the quota is not used up
    AddRateLimit(answer, reading);
    if (wait.empty()) wait = absl::StrCat(WholeSeconds(reading.reset - exchange.now));
  }
  if (row->retry_after) {
    if (wait.empty()) wait = absl::StrCat(WholeSeconds(settings_.overload_retry_after));
    answer.headers.emplace_back("retry-after", wait);
  }
  return answer;
}

HttpAnswer AulmApi::Replacement(const Exchange& exchange, const Fault& fault) {
  HttpAnswer answer;
  if (fault.code.empty() || fault.status) {
    answer.status = fault.status.value_or(200);
    answer.body = fault.code.empty() ? fault.body : AulmErrorBody(fault.code, fault.message);
    if (!fault.retry_after.empty()) answer.headers.emplace_back("retry-after", fault.retry_after);
  } else {
    answer = Error(exchange, fault.code, fault.message, fault.retry_after);
  }
  answer.raw = fault.raw;
  for (const auto& header : fault.headers) answer.headers.push_back(header);
  return answer;
}

}  // namespace aulm::simulator
