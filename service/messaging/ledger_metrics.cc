#include "service/messaging/ledger_metrics.h"

#include "prometheus/family.h"

namespace aulm::gateway {
namespace {

prometheus::Family<prometheus::Counter>& Repeats(prometheus::Registry& registry) {
  return prometheus::BuildCounter()
      .Name("aulm_ledger_repeats_total")
      .Help("Looks at a request id that was used before, by what they found.")
      .Register(registry);
}

prometheus::Family<prometheus::Counter>& Settlements(prometheus::Registry& registry) {
  return prometheus::BuildCounter()
      .Name("aulm_ledger_settlements_total")
      .Help("Sends that ended: sent, outcome unknown, or not sent and their request id released.")
      .Register(registry);
}

}  // namespace

LedgerMetrics::LedgerMetrics(prometheus::Registry& registry)
    : claims(prometheus::BuildCounter()
                 .Name("aulm_ledger_claims_total")
                 .Help("Request ids that were claimed for a send.")
                 .Register(registry)
                 .Add({})),
      replayed(Repeats(registry).Add({{"answer", "replayed"}})),
      unknown_again(Repeats(registry).Add({{"answer", "unknown"}})),
      under_way(Repeats(registry).Add({{"answer", "under_way"}})),
      reused(Repeats(registry).Add({{"answer", "reused"}})),
      sent(Settlements(registry).Add({{"outcome", "sent"}})),
      unknown(Settlements(registry).Add({{"outcome", "unknown"}})),
      released(Settlements(registry).Add({{"outcome", "released"}})),
      unsettled(prometheus::BuildGauge()
                    .Name("aulm_ledger_unsettled")
                    .Help("Sends whose end the store could not take down; it is tried again until their lease is over.")
                    .Register(registry)
                    .Add({})) {}

}  // namespace aulm::gateway
