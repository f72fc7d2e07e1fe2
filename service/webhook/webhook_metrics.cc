#include "service/webhook/webhook_metrics.h"

#include <string>

namespace aulm::gateway {
namespace {

prometheus::Family<prometheus::Counter>& Counters(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildCounter().Name(name).Help(help).Register(registry);
}

prometheus::Gauge& OneGauge(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry).Add({});
}

prometheus::Histogram& Seconds(prometheus::Registry& registry) {
  const prometheus::Histogram::BucketBoundaries boundaries = {0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05,
                                                              0.1,    0.25,  0.5,    1,     2.5,  5,     10};
  return prometheus::BuildHistogram()
      .Name("aulm_webhook_seconds")
      .Help("Seconds from a delivery's first byte to its answer.")
      .Register(registry)
      .Add({}, boundaries);
}

}  // namespace

WebhookMetrics::WebhookMetrics(prometheus::Registry& registry)
    : webhooks_(Counters(registry, "aulm_webhooks_total", "Deliveries from aulm, by what became of them.")),
      bytes_(Counters(registry, "aulm_webhook_bytes_total", "Bytes of bodies with a valid signature.")),
      signatures_(Counters(registry, "aulm_webhook_signatures_total",
                           "Valid signatures, by the place of their secret in the account's list, from 0.")),
      disagreements_(Counters(registry, "aulm_webhook_disagreements_total",
                              "Deliveries whose header said something else than the signed body.")),
      unknown_events_(Counters(registry, "aulm_webhook_unknown_events_total",
                               "Deliveries stored raw, since this version does not know their kind.")),
      refused_(Counters(registry, "aulm_webhook_refused_total",
                        "Requests and connections that the listener ended by itself.")),
      seconds_(Seconds(registry)),
      connections_(OneGauge(registry, "aulm_webhook_connections", "Open connections of the webhook listener.")),
      in_flight_(OneGauge(registry, "aulm_webhook_in_flight", "Verified deliveries that are not durable yet.")) {
  for (size_t i = 0; i < kHttpRefusals; ++i) {
    refused_.Add({{"reason", std::string(HttpRefusalName(static_cast<HttpRefusal>(i)))}});
  }
}

const WebhookMetrics::Account& WebhookMetrics::AddAccount(absl::string_view name) {
  const std::string account(name);
  Account& series = accounts_.emplace_back();
  for (size_t i = 0; i < kWebhookOutcomes; ++i) {
    const std::string outcome(WebhookOutcomeName(static_cast<WebhookOutcome>(i)));
    series.outcomes[i] = &webhooks_.Add({{"account", account}, {"outcome", outcome}});
  }
  for (size_t i = 0; i < kSlots; ++i) {
    series.slots[i] = &signatures_.Add({{"account", account}, {"slot", std::to_string(i)}});
  }
  series.bytes = &bytes_.Add({{"account", account}});
  series.event_disagreements = &disagreements_.Add({{"account", account}, {"field", "event"}});
  series.delivery_id_disagreements = &disagreements_.Add({{"account", account}, {"field", "delivery_id"}});
  series.unknown_events = &unknown_events_.Add({{"account", account}});
  return series;
}

void WebhookMetrics::CountRefusal(HttpRefusal refusal) {
  refused_.Add({{"reason", std::string(HttpRefusalName(refusal))}}).Increment();
}

}  // namespace aulm::gateway
