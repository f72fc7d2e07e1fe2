#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "prometheus/gauge.h"
#include "service/aulm/api_key.h"
#include "service/aulm/aulm_address.h"
#include "service/aulm/aulm_metrics.h"
#include "service/aulm/aulm_operations.h"
#include "service/aulm/call_gate.h"
#include "service/aulm/http_transport.h"
#include "service/base/clock.h"
#include "service/base/span.h"

namespace aulm::gateway {

// What every call to aulm takes besides its content.
struct AulmCallOptions {
  // When the caller must have its answer, the margin already taken off.
  absl::Time deadline = absl::InfiniteFuture();
  // The caller's W3C trace context, passed on as it is; left out when it is not of that form.
  absl::string_view traceparent;
};

// Receives one send's course. Called on the transport's thread, or on the thread that began the send when it is refused
// at once; never under a lock; must not block.
class SendObserver {
 public:
  virtual ~SendObserver() = default;

  // At most once, before OnDone: the deadline passed or Cancel came, and the request was already written. The caller is
  // to be answered with `so_far`, now: DEADLINE_EXCEEDED CALL_DEADLINE (or CANCELLED), outcome unknown. The send goes
  // on.
  virtual void OnDetached(absl::Status so_far) = 0;

  // Exactly once, last: what became of the send, also after OnDetached. An error carries the details of
  // service/base/status_details.h; its outcome says whether the message can have been sent.
  virtual void OnDone(absl::StatusOr<SendResult> result) = 0;
};

// aulm's three operations for one account: writes the JSON, makes one HTTP exchange (never two), reads the answer. It
// does not wait, pace, retry or remember: `messaging` does. Thread-safe; never blocks.
class AulmClient {
 public:
  // Names a call for Cancel. 0 names none.
  using CallId = HttpTransport::ExchangeId;

  struct Options {
    std::string account;
    std::string base_url;  // such as https://api.aulm.io; http only to loopback
    ApiKeySource api_key;
    // How long a send goes on after its first byte was written and its caller was answered.
    absl::Duration settle_limit = absl::Seconds(60);
    CallGate::Options gate;
  };

  // `transport`, `clock` and `metrics` must outlive the client, and the transport must be stopped (or idle) before the
  // client goes away. `address` is shared by the clients of one base URL. INVALID_ARGUMENT, naming the account and what
  // to do, for a base URL or a key that cannot be one.
  static absl::StatusOr<std::unique_ptr<AulmClient>> Create(Options options, HttpTransport& transport,
                                                            std::shared_ptr<AulmAddress> address, const Clock& clock,
                                                            AulmMetrics& metrics);

  // POST /v1/messages/send-text. Errors: aulm_error.h; ACCOUNT_SUSPENDED, a cooldown's TOO_MANY_AUTH_FAILURES and,
  // while aulm cannot be reached, BREAKER_OPEN without asking aulm.
  CallId SendText(const TextSend& send, const AulmCallOptions& options, std::shared_ptr<SendObserver> observer);

  // POST /v1/messages/send-image.
  CallId SendImage(const ImageSend& send, const AulmCallOptions& options, std::shared_ptr<SendObserver> observer);

  // GET /v1/sessions/{id}/status. `done` is called once, as SendObserver::OnDone is. A session id that is no UUID is
  // INVALID_ARGUMENT.
  CallId GetSessionStatus(absl::string_view session_id, const AulmCallOptions& options,
                          absl::AnyInvocable<void(absl::StatusOr<SessionStatus>)> done);

  // The caller has gone away. A send that is written only detaches; everything else ends CANCELLED. Of a call that is
  // done, does nothing.
  void Cancel(CallId call);

  const std::string& account() const { return account_; }
  // True when the key sends for real.
  bool live() const { return IsLiveKey(api_key_().value); }
  // True while aulm refuses the account's key.
  bool suspended() const { return gate_.suspended(); }

 private:
  class SendExchange;
  class StatusExchange;
  // What a call needs once it is admitted.
  struct Admission {
    Span span;
    HttpRequest request;  // its headers and deadline
    uint64_t key_generation;
  };

  AulmClient(Options options, HttpTransport& transport, std::shared_ptr<AulmAddress> address, const Clock& clock,
             AulmMetrics& metrics);

  // Asks the breaker and the gate and fills in the headers that every call has; counts the refusal.
  absl::StatusOr<Admission> Admit(AulmEndpoint endpoint, absl::string_view session_id, const AulmCallOptions& options);
  absl::Status AskBreaker(AulmEndpoint endpoint, absl::string_view session_id);
  // `write_body` is called when the call is admitted.
  CallId Send(AulmEndpoint endpoint, const std::string& url, absl::string_view session_id, absl::string_view to,
              const AulmCallOptions& options, std::shared_ptr<SendObserver> observer,
              absl::FunctionRef<std::string()> write_body);
  // Tells the breaker, the gate, the metrics and the call's span what it came to.
  void Settle(AulmEndpoint endpoint, uint64_t key_generation, absl::Time start, const HttpResult& exchange,
              const absl::Status& result, Span& span);
  void TellBreaker(const HttpResult& exchange, absl::Time start);
  // The gauges of the gate, after something that may have changed it.
  void ShowGate();

  const std::string account_;
  const std::string base_url_;
  const ApiKeySource api_key_;
  const absl::Duration settle_limit_;
  const std::string send_text_url_;
  const std::string send_image_url_;
  const std::string sessions_url_;  // up to the session's id
  HttpTransport& transport_;
  const Clock& clock_;
  AulmMetrics& metrics_;
  const std::shared_ptr<AulmAddress> address_;
  CallGate gate_;
  prometheus::Gauge& suspended_gauge_;
  prometheus::Gauge& cooldown_gauge_;
};

}  // namespace aulm::gateway
