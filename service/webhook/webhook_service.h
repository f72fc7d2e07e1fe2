#pragma once

#include <atomic>
#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/http/http_service.h"
#include "service/http/log_allowance.h"
#include "service/storage/event_log.h"
#include "service/webhook/delivery_decoder.h"
#include "service/webhook/webhook_metrics.h"
#include "service/webhook/webhook_outcome.h"
#include "service/webhook/webhook_secrets.h"

namespace aulm::gateway {

// What a delivery gets whose signature is well-formed but wrong.
enum class WrongSignatureAnswer {
  kReject,  // 401: aulm gives the delivery up
  kRetry,   // 429: aulm tries again; for the time in which a secret is changed
};

// One account that aulm delivers for.
struct WebhookAccount {
  std::string name;
  std::shared_ptr<const WebhookSecrets> secrets;
  WrongSignatureAnswer on_wrong_signature = WrongSignatureAnswer::kReject;
};

struct WebhookOptions {
  // Deliveries that are not durable yet; beyond it, 429.
  size_t max_in_flight = 8192;
  // What a 429 asks for.
  absl::Duration retry_after_overload = absl::Seconds(5);
  absl::Duration retry_after_drain = absl::Seconds(5);
  absl::Duration retry_after_wrong_signature = absl::Seconds(60);
  // Sees each verified delivery on its way into the log, on the server's thread; must not block. May be empty.
  std::function<void(const NewEvent&)> on_verified;
};

// Takes aulm's deliveries: finds the account by the path, verifies the raw body's signature, decodes, appends to the
// event log and answers 200 once that is durable. Runs under an HttpServer, whose threads it never blocks; the answer
// is given from the log's thread. Thread-safe. Must outlive the server, and every append that it began: close or drain
// the log before destroying it.
class WebhookService final : public HttpService {
 public:
  // `clock`, `log` and `metrics` must outlive the service. Account names must be unique.
  WebhookService(WebhookOptions options, std::vector<WebhookAccount> accounts, const Clock& clock, EventLog& log,
                 WebhookMetrics& metrics);
  ~WebhookService() override;

  // From now on every delivery is answered 429: aulm brings it again, to whoever runs then. Those under way are
  // finished.
  void Drain() { draining_ = true; }

  // Deliveries that are not durable yet.
  size_t in_flight() const { return in_flight_.load(std::memory_order_relaxed); }

  std::optional<ServedReply> Admit(const ServedRequest& request) override;
  void Handle(ServedRequest& request, Reply reply) override;
  void OnRefused(HttpRefusal refusal, absl::string_view remote_address, absl::string_view detail) override;
  void OnConnections(int change) override;

 private:
  struct Account {
    WebhookAccount settings;
    const WebhookMetrics::Account* metrics;
  };

  // The account that a path names; null when it names none.
  const Account* FindAccount(absl::string_view path) const;
  // Why the delivery goes no further; nullopt when it is verified.
  std::optional<WebhookOutcome> Refuse(const Account& account, const ServedRequest& request) const;
  ServedReply Answer(WebhookOutcome outcome) const;
  void Append(const Account& account, const ServedRequest& request, NewEvent event, Reply reply);
  void CountDecoded(const Account& account, const DecodedDelivery& decoded) const;
  void LogRefusal(absl::string_view account, WebhookOutcome outcome, const ServedRequest& request);
  void LogStoreFailure(absl::string_view account, const absl::Status& status);

  const WebhookOptions options_;
  const Clock& clock_;
  EventLog& log_;
  WebhookMetrics& metrics_;
  absl::flat_hash_map<std::string, Account> accounts_;
  Account no_account_;
  std::atomic<bool> draining_{false};
  std::atomic<size_t> in_flight_{0};
  LogAllowance refusal_lines_;
  LogAllowance listener_lines_;
  LogAllowance store_lines_;
};

}  // namespace aulm::gateway
