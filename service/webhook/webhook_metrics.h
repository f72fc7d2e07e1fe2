#pragma once

#include <array>
#include <cstddef>
#include <deque>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "service/http/http_service.h"
#include "service/webhook/webhook_outcome.h"

namespace aulm::gateway {

// The figures of the webhook listener:
//   aulm_webhooks_total{account,outcome}               deliveries, by what became of them ("duplicate": deduplicated)
//   aulm_webhook_bytes_total{account}                  of bodies whose signature held
//   aulm_webhook_signatures_total{account,slot}        valid signatures by the secret that made them, to watch a
//   rotation aulm_webhook_disagreements_total{account,field}    headers that said something else than the signed body
//   aulm_webhook_unknown_events_total{account}         stored, but of no kind that is known
//   aulm_webhook_refused_total{reason}                 requests and connections that the listener itself ended
//   aulm_webhook_seconds                               from a delivery's first byte to its answer
//   aulm_webhook_connections, aulm_webhook_in_flight   now
// The series of an account exist from the start, at 0. Thread-safe.
class WebhookMetrics {
 public:
  // Secrets beyond so many share the last slot's series.
  static constexpr size_t kSlots = 4;

  // One account's series.
  struct Account {
    std::array<prometheus::Counter*, kWebhookOutcomes> outcomes;
    std::array<prometheus::Counter*, kSlots> slots;
    prometheus::Counter* bytes;
    prometheus::Counter* event_disagreements;
    prometheus::Counter* delivery_id_disagreements;
    prometheus::Counter* unknown_events;

    void Count(WebhookOutcome outcome) const { outcomes[static_cast<size_t>(outcome)]->Increment(); }
  };

  // `registry` must outlive this.
  explicit WebhookMetrics(prometheus::Registry& registry);

  // Makes the series of an account; "" stands for deliveries to no known account. What it returns lives as long as
  // this.
  const Account& AddAccount(absl::string_view name);

  void CountRefusal(HttpRefusal refusal);
  void ObserveAnswer(absl::Duration taken) { seconds_.Observe(absl::ToDoubleSeconds(taken)); }
  prometheus::Gauge& connections() { return connections_; }
  prometheus::Gauge& in_flight() { return in_flight_; }

 private:
  prometheus::Family<prometheus::Counter>& webhooks_;
  prometheus::Family<prometheus::Counter>& bytes_;
  prometheus::Family<prometheus::Counter>& signatures_;
  prometheus::Family<prometheus::Counter>& disagreements_;
  prometheus::Family<prometheus::Counter>& unknown_events_;
  prometheus::Family<prometheus::Counter>& refused_;
  prometheus::Histogram& seconds_;
  prometheus::Gauge& connections_;
  prometheus::Gauge& in_flight_;
  std::deque<Account> accounts_;  // addresses stay
};

}  // namespace aulm::gateway
