#include "service/webhook/webhook_service.h"

#include <cassert>
#include <chrono>
#include <utility>

#include "absl/strings/strip.h"
#include "service/base/log.h"
#include "service/base/span.h"
#include "service/base/text.h"
#include "service/webhook/signature_verifier.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kPath = "/webhooks/aulm";
constexpr absl::string_view kDefaultAccount = "default";

// For the log: what aulm or a stranger calls an id or a name may be anything, a phone number too.
absl::string_view PlainIdOrNone(absl::string_view text) { return IsPlainId(text) ? text : absl::string_view(); }

absl::Duration Since(std::chrono::steady_clock::time_point start) {
  return absl::FromChrono(std::chrono::steady_clock::now() - start);
}

}  // namespace

WebhookService::WebhookService(WebhookOptions options, std::vector<WebhookAccount> accounts, const Clock& clock,
                               EventLog& log, WebhookMetrics& metrics)
    : options_(std::move(options)), clock_(clock), log_(log), metrics_(metrics) {
  no_account_.metrics = &metrics.AddAccount("");
  for (WebhookAccount& settings : accounts) {
    const WebhookMetrics::Account& series = metrics.AddAccount(settings.name);
    std::string name = settings.name;
    accounts_.emplace(std::move(name), Account{std::move(settings), &series});
  }
}

WebhookService::~WebhookService() { assert(in_flight_ == 0); }

const WebhookService::Account* WebhookService::FindAccount(absl::string_view path) const {
  if (!absl::ConsumePrefix(&path, kPath)) return nullptr;
  if (path.empty()) {
    path = kDefaultAccount;
  } else if (!absl::ConsumePrefix(&path, "/")) {
    return nullptr;
  }
  const auto found = accounts_.find(path);
  return found == accounts_.end() ? nullptr : &found->second;
}

ServedReply WebhookService::Answer(WebhookOutcome outcome) const {
  absl::Duration retry_after = options_.retry_after_overload;
  if (outcome == WebhookOutcome::kDraining) retry_after = options_.retry_after_drain;
  if (outcome == WebhookOutcome::kSignatureWrongRetry) retry_after = options_.retry_after_wrong_signature;
  return AnswerFor(outcome, retry_after);
}

std::optional<ServedReply> WebhookService::Admit(const ServedRequest& request) {
  const Account* const account = FindAccount(request.path);
  if (account != nullptr && request.method == "POST") return std::nullopt;
  const WebhookOutcome outcome = account == nullptr ? WebhookOutcome::kUnknownPath : WebhookOutcome::kWrongMethod;
  (account == nullptr ? no_account_ : *account).metrics->Count(outcome);
  LogRefusal(account == nullptr ? "" : account->settings.name, outcome, request);
  return Answer(outcome);
}

std::optional<WebhookOutcome> WebhookService::Refuse(const Account& account, const ServedRequest& request) const {
  if (draining_.load(std::memory_order_relaxed)) return WebhookOutcome::kDraining;
  if (in_flight() >= options_.max_in_flight) return WebhookOutcome::kOverloaded;
  const auto keys = account.settings.secrets->Current();
  const SignatureVerdict verdict = VerifySignature(request, *keys);
  switch (verdict.result) {
    case SignatureVerdict::Result::kValid:
      account.metrics->slots[std::min(verdict.slot, WebhookMetrics::kSlots - 1)]->Increment();
      return std::nullopt;
    case SignatureVerdict::Result::kAbsent:
      return WebhookOutcome::kSignatureMissing;
    case SignatureVerdict::Result::kMalformed:
      return WebhookOutcome::kSignatureMalformed;
    case SignatureVerdict::Result::kWrong:
      return account.settings.on_wrong_signature == WrongSignatureAnswer::kRetry ? WebhookOutcome::kSignatureWrongRetry
                                                                                 : WebhookOutcome::kSignatureWrong;
    case SignatureVerdict::Result::kNoSecret:
      return WebhookOutcome::kNoSecret;
  }
  return WebhookOutcome::kNoSecret;
}

void WebhookService::Handle(ServedRequest& request, Reply reply) {
  const Account* const account = FindAccount(request.path);
  assert(account != nullptr);  // Admit saw to it
  if (const std::optional<WebhookOutcome> refused = Refuse(*account, request); refused.has_value()) {
    account->metrics->Count(*refused);
    LogRefusal(account->settings.name, *refused, request);
    metrics_.ObserveAnswer(Since(request.arrived));
    return std::move(reply).Send(Answer(*refused));
  }
  account->metrics->bytes->Increment(static_cast<double>(request.body.size()));
  DecodedDelivery decoded = DecodeDelivery(account->settings.name, request);
  CountDecoded(*account, decoded);
  LogLine(LogLevel::kDebug, "webhook")
      .Field("account", account->settings.name)
      .Field("name", PlainIdOrNone(decoded.event_name))
      .Field("delivery_id", PlainIdOrNone(decoded.event.delivery_id))
      .Field("session_id", PlainIdOrNone(decoded.event.session_id))
      .Field("message_id", PlainIdOrNone(decoded.event.message_id))
      .Field("test", decoded.event.test)
      .Field("bytes", decoded.event.raw_body.size())
      .Trace(request.Header("traceparent"));
  if (options_.on_verified) options_.on_verified(decoded.event);
  Append(*account, request, std::move(decoded.event), std::move(reply));
}

void WebhookService::Append(const Account& account, const ServedRequest& request, NewEvent event, Reply reply) {
  in_flight_.fetch_add(1, std::memory_order_relaxed);
  metrics_.in_flight().Increment();
  log_.Append(std::move(event), [this, &account, arrived = request.arrived,
                                 span = Span(Span::Kind::kServer, "webhook", request.Header("traceparent")),
                                 reply = std::move(reply)](absl::StatusOr<Appended> appended) mutable {
    WebhookOutcome outcome = WebhookOutcome::kStoreFailed;
    if (appended.ok()) {
      outcome = appended->duplicate ? WebhookOutcome::kDuplicate : WebhookOutcome::kStored;
    } else {
      LogStoreFailure(account.settings.name, appended.status());
    }
    if (!appended.ok()) span.Fail(WebhookOutcomeName(outcome));
    span.End();
    account.metrics->Count(outcome);
    metrics_.ObserveAnswer(Since(arrived));
    metrics_.in_flight().Decrement();
    std::move(reply).Send(Answer(outcome));
    in_flight_.fetch_sub(1, std::memory_order_release);  // the last use of `this`
  });
}

void WebhookService::CountDecoded(const Account& account, const DecodedDelivery& decoded) const {
  if (decoded.event_disagrees) account.metrics->event_disagreements->Increment();
  if (decoded.delivery_id_disagrees) account.metrics->delivery_id_disagreements->Increment();
  if (decoded.unknown) account.metrics->unknown_events->Increment();
}

void WebhookService::LogRefusal(absl::string_view account, WebhookOutcome outcome, const ServedRequest& request) {
  const auto left_out = refusal_lines_.Take(clock_.Now());
  if (!left_out.has_value()) return;
  // The path, the method and the headers are a stranger's words as long as no signature was verified: of them, only an
  // id that looks like one goes into the log.
  LogLine(LogLevel::kWarn, "webhook_refused")
      .Field("account", account)
      .Field("reason", WebhookOutcomeName(outcome))
      .Field("delivery_id", PlainIdOrNone(request.Header("x-aulm-delivery-id")))
      .Field("from_address", request.remote_address)
      .Field("left_out", *left_out)
      .Trace(request.Header("traceparent"));
}

void WebhookService::LogStoreFailure(absl::string_view account, const absl::Status& status) {
  const auto left_out = store_lines_.Take(clock_.Now());
  if (!left_out.has_value()) return;
  LogLine(LogLevel::kError, "webhook_not_stored")
      .Field("account", account)
      .Field("error", status.ToString())
      .Field("left_out", *left_out);
}

void WebhookService::OnRefused(HttpRefusal refusal, absl::string_view remote_address, absl::string_view detail) {
  metrics_.CountRefusal(refusal);
  const auto left_out = listener_lines_.Take(clock_.Now());
  if (!left_out.has_value()) return;
  LogLine(LogLevel::kWarn, "webhook_refused")
      .Field("reason", HttpRefusalName(refusal))
      .Field("detail", detail)
      .Field("from_address", remote_address)
      .Field("left_out", *left_out);
}

void WebhookService::OnConnections(int change) { metrics_.connections().Increment(change); }

}  // namespace aulm::gateway
