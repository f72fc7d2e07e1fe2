#include "service/aulm/aulm_client.h"

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "service/aulm/answer_headers.h"
#include "service/aulm/aulm_error.h"
#include "service/aulm/aulm_json.h"
#include "service/aulm/public_url.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/base/text.h"
#include "service/base/version.h"

namespace aulm::gateway {
namespace {

// What a status read of the breaker's own may take.
constexpr absl::Duration kProbeLimit = absl::Seconds(5);
// A call that waited this long for nothing counts as one that did not reach aulm.
constexpr absl::Duration kPatience = absl::Seconds(5);

bool IsSuccess(const HttpResponse& response) { return response.status >= 200 && response.status < 300; }

// "00-" + 32 hex digits + "-" + 16 hex digits + "-" + 2 hex digits; later versions may go on after another "-".
bool IsTraceparent(absl::string_view text) {
  if (text.size() < 55 || text.size() > 256) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (i == 2 || i == 35 || i == 52) {
      if (c != '-') return false;
    } else if (i < 55 ? !(absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f')) : !absl::ascii_isgraph(c)) {
      return false;
    }
  }
  return true;
}

std::string Url(absl::string_view base, absl::string_view path) {
  return absl::StrCat(absl::StripSuffix(base, "/"), path);
}

}  // namespace

// One send from its start to its result.
class AulmClient::SendExchange final : public HttpExchange {
 public:
  SendExchange(AulmClient& client, AulmEndpoint endpoint, absl::string_view session_id, absl::string_view to,
               uint64_t key_generation, Span span, std::shared_ptr<SendObserver> observer)
      : client_(client),
        span_(std::move(span)),
        endpoint_(endpoint),
        session_id_(session_id),
        to_(to),
        key_generation_(key_generation),
        start_(client.clock_.Now()),
        observer_(std::move(observer)) {}

  void OnDetached(HttpFailure::Reason why) override {
    client_.metrics_.CallDetached();
    observer_->OnDetached(DetachedError(Call(), why == HttpFailure::Reason::kDeadline));
  }

  void OnDone(HttpResult result) override {
    absl::StatusOr<SendResult> read = Read(result);
    client_.Settle(endpoint_, key_generation_, start_, result, read.status(), span_);
    observer_->OnDone(std::move(read));
  }

 private:
  AulmCall Call() const { return {endpoint_, client_.account_, session_id_}; }

  absl::StatusOr<SendResult> Read(const HttpResult& result) const {
    const auto* response = std::get_if<HttpResponse>(&result);
    if (response == nullptr) return ErrorOfFailure(std::get<HttpFailure>(result), Call());
    if (!IsSuccess(*response)) return ErrorOfAnswer(*response, Call(), client_.clock_.Now());
    std::optional<SendResult> read = ReadSendResult(*response, session_id_, to_);
    if (!read.has_value()) return UnreadableAnswer(*response, Call());
    read->rate_limit = ReadRateLimit(*response);
    return *std::move(read);
  }

  AulmClient& client_;
  Span span_;
  const AulmEndpoint endpoint_;
  const std::string session_id_;
  const std::string to_;
  const uint64_t key_generation_;
  const absl::Time start_;
  const std::shared_ptr<SendObserver> observer_;
};

// One status read.
class AulmClient::StatusExchange final : public HttpExchange {
 public:
  StatusExchange(AulmClient& client, absl::string_view session_id, uint64_t key_generation, Span span,
                 absl::AnyInvocable<void(absl::StatusOr<SessionStatus>)> done)
      : client_(client),
        span_(std::move(span)),
        session_id_(session_id),
        key_generation_(key_generation),
        start_(client.clock_.Now()),
        done_(std::move(done)) {}

  void OnDetached(HttpFailure::Reason) override {}  // reads are ended, never detached

  void OnDone(HttpResult result) override {
    absl::StatusOr<SessionStatus> read = Read(result);
    client_.Settle(AulmEndpoint::kSessionStatus, key_generation_, start_, result, read.status(), span_);
    done_(std::move(read));
  }

 private:
  absl::StatusOr<SessionStatus> Read(const HttpResult& result) const {
    const AulmCall call{AulmEndpoint::kSessionStatus, client_.account_, session_id_};
    const auto* response = std::get_if<HttpResponse>(&result);
    if (response == nullptr) return ErrorOfFailure(std::get<HttpFailure>(result), call);
    if (!IsSuccess(*response)) return ErrorOfAnswer(*response, call, client_.clock_.Now());
    std::optional<SessionStatus> read = ReadSessionStatus(*response, session_id_);
    if (!read.has_value()) return UnreadableAnswer(*response, call);
    return *std::move(read);
  }

  AulmClient& client_;
  Span span_;
  const std::string session_id_;
  const uint64_t key_generation_;
  const absl::Time start_;
  absl::AnyInvocable<void(absl::StatusOr<SessionStatus>)> done_;
};

absl::StatusOr<std::unique_ptr<AulmClient>> AulmClient::Create(Options options, HttpTransport& transport,
                                                               std::shared_ptr<AulmAddress> address, const Clock& clock,
                                                               AulmMetrics& metrics) {
  absl::Status status = CheckBaseUrl(options.base_url);
  if (status.ok()) status = CheckApiKey(options.api_key().value);
  if (!status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("account \"", options.account, "\": ", status.message()));
  }
  return std::unique_ptr<AulmClient>(new AulmClient(std::move(options), transport, std::move(address), clock, metrics));
}

AulmClient::AulmClient(Options options, HttpTransport& transport, std::shared_ptr<AulmAddress> address,
                       const Clock& clock, AulmMetrics& metrics)
    : account_(std::move(options.account)),
      base_url_(options.base_url),
      api_key_(std::move(options.api_key)),
      settle_limit_(options.settle_limit),
      send_text_url_(Url(options.base_url, "/v1/messages/send-text")),
      send_image_url_(Url(options.base_url, "/v1/messages/send-image")),
      sessions_url_(Url(options.base_url, "/v1/sessions/")),
      transport_(transport),
      clock_(clock),
      metrics_(metrics),
      address_(std::move(address)),
      gate_(account_, std::shared_ptr<AddressCooldown>(address_, &address_->cooldown), clock, options.gate),
      suspended_gauge_(metrics.SuspendedOf(account_)),
      cooldown_gauge_(metrics.CooldownOf(base_url_)) {
  metrics_.SetUnreachable(base_url_, address_->breaker.open());
  ShowGate();
}

AulmClient::CallId AulmClient::SendText(const TextSend& send, const AulmCallOptions& options,
                                        std::shared_ptr<SendObserver> observer) {
  return Send(AulmEndpoint::kSendText, send_text_url_, send.session_id, send.to, options, std::move(observer),
              [&] { return SendTextJson(send); });
}

AulmClient::CallId AulmClient::SendImage(const ImageSend& send, const AulmCallOptions& options,
                                         std::shared_ptr<SendObserver> observer) {
  return Send(AulmEndpoint::kSendImage, send_image_url_, send.session_id, send.to, options, std::move(observer),
              [&] { return SendImageJson(send); });
}

AulmClient::CallId AulmClient::Send(AulmEndpoint endpoint, const std::string& url, absl::string_view session_id,
                                    absl::string_view to, const AulmCallOptions& options,
                                    std::shared_ptr<SendObserver> observer,
                                    absl::FunctionRef<std::string()> write_body) {
  absl::StatusOr<Admission> admission = Admit(endpoint, session_id, options);
  if (!admission.ok()) {
    absl::Status refusal = admission.status();
    SetOutcome(refusal, Outcome::kNotSent);
    observer->OnDone(std::move(refusal));
    return 0;
  }
  HttpRequest& request = admission->request;
  request.method = "POST";
  request.url = url;
  request.headers.emplace_back("Content-Type", "application/json");
  request.body = write_body();
  request.finish_once_written = true;
  request.settle_limit = settle_limit_;
  metrics_.CallStarted(endpoint);
  return transport_.Start(std::move(request),
                          std::make_shared<SendExchange>(*this, endpoint, session_id, to, admission->key_generation,
                                                         std::move(admission->span), std::move(observer)));
}

AulmClient::CallId AulmClient::GetSessionStatus(absl::string_view session_id, const AulmCallOptions& options,
                                                absl::AnyInvocable<void(absl::StatusOr<SessionStatus>)> done) {
  if (!IsUuid(session_id)) {  // it becomes part of the path
    FieldViolations bad;
    bad.Add("session_id", "must be a UUID, as aulm's dashboard shows it");
    done(bad.ToStatus());
    return 0;
  }
  absl::StatusOr<Admission> admission = Admit(AulmEndpoint::kSessionStatus, session_id, options);
  if (!admission.ok()) {
    done(admission.status());
    return 0;
  }
  admission->request.method = "GET";
  admission->request.url = absl::StrCat(sessions_url_, session_id, "/status");
  metrics_.CallStarted(AulmEndpoint::kSessionStatus);
  return transport_.Start(std::move(admission->request),
                          std::make_shared<StatusExchange>(*this, session_id, admission->key_generation,
                                                           std::move(admission->span), std::move(done)));
}

void AulmClient::Cancel(CallId call) {
  if (call != 0) transport_.Cancel(call);
}

absl::StatusOr<AulmClient::Admission> AulmClient::Admit(AulmEndpoint endpoint, absl::string_view session_id,
                                                        const AulmCallOptions& options) {
  const ApiKey key = api_key_();
  absl::Status refusal = AskBreaker(endpoint, session_id);
  if (refusal.ok()) refusal = gate_.Admit(key.generation);
  if (refusal.ok() && !CheckApiKey(key.value).ok()) {  // the file was changed to something that is no key
    refusal = GatewayError(
        GatewayReason::kAccountSuspended,
        absl::StrCat("the key file of account \"", account_, "\" holds no aulm key (alm_sk_live_… or alm_sk_test_…)"));
  }
  if (!refusal.ok()) {
    metrics_.CallRefused(endpoint, ReasonOf(refusal));
    return refusal;
  }
  Admission admission;
  admission.key_generation = key.generation;
  admission.request.deadline = options.deadline;
  auto& headers = admission.request.headers;
  headers.reserve(5);
  headers.emplace_back("Authorization", absl::StrCat("Bearer ", key.value));
  headers.emplace_back("Accept", "application/json");
  headers.emplace_back("User-Agent", UserAgent());
  admission.span = Span(Span::Kind::kClient, EndpointName(endpoint), options.traceparent);
  const std::string trace = admission.span.Context(options.traceparent);
  if (IsTraceparent(trace)) headers.emplace_back("traceparent", trace);
  return admission;
}

absl::Status AulmClient::AskBreaker(AulmEndpoint endpoint, absl::string_view session_id) {
  const bool is_read = endpoint == AulmEndpoint::kSessionStatus;
  const ReachabilityBreaker::Verdict verdict = address_->breaker.Ask(is_read, clock_.Now());
  if (verdict.call) return absl::OkStatus();
  if (verdict.probe) {
    GetSessionStatus(session_id, {clock_.Now() + kProbeLimit, {}}, [](const absl::StatusOr<SessionStatus>&) {});
  }
  absl::Status refusal = GatewayError(
      GatewayReason::kBreakerOpen,
      absl::StrCat("aulm cannot be reached at ", base_url_, ", as the last calls showed; it was not asked"));
  SetRetryDelay(refusal, verdict.retry_after);
  return refusal;
}

void AulmClient::TellBreaker(const HttpResult& exchange, absl::Time start) {
  const auto* failure = std::get_if<HttpFailure>(&exchange);
  if (failure == nullptr) {
    if (!address_->breaker.NoteAnswered()) return;
    LogLine(LogLevel::kInfo, "aulm_reachable").Field("base_url", base_url_);
    return metrics_.SetUnreachable(base_url_, false);
  }
  // A caller of little patience says nothing about aulm.
  const bool no_answer = failure->reason == HttpFailure::Reason::kConnect ||
                         failure->reason == HttpFailure::Reason::kBroken ||
                         (failure->reason == HttpFailure::Reason::kDeadline && clock_.Now() - start >= kPatience);
  if (!no_answer || !address_->breaker.NoteUnreachable(clock_.Now())) return;
  LogLine(LogLevel::kError, "aulm_unreachable").Field("base_url", base_url_).Field("failure", failure->message);
  metrics_.SetUnreachable(base_url_, true);
}

void AulmClient::ShowGate() {
  suspended_gauge_.Set(gate_.suspended() ? 1 : 0);
  const absl::Time until = address_->cooldown.until();
  if (until != absl::InfinitePast()) cooldown_gauge_.Set(absl::ToDoubleSeconds(until - absl::UnixEpoch()));
}

void AulmClient::Settle(AulmEndpoint endpoint, uint64_t key_generation, absl::Time start, const HttpResult& exchange,
                        const absl::Status& result, Span& span) {
  if (!result.ok()) span.Fail(ReasonOf(result));
  span.End();
  TellBreaker(exchange, start);
  gate_.Observe(key_generation, result);
  if (!result.ok() || suspended_gauge_.Value() > 0) ShowGate();
  metrics_.CallDone(endpoint, result.ok() ? "OK" : ReasonOf(result), clock_.Now() - start);
}

}  // namespace aulm::gateway
