#pragma once

#include "prometheus/counter.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"

namespace aulm::gateway {

// What the request ledger tells /metrics. The registry must outlive it. Thread-safe.
//   aulm_ledger_claims_total                 request ids that were claimed for a send
//   aulm_ledger_repeats_total{answer}        calls with an id that was used before: replayed, unknown, under_way,
//   reused aulm_ledger_settlements_total{outcome}   sends that ended: sent, unknown, released (not sent, and the id is
//   free) aulm_ledger_unsettled                    claims whose settling the store refused: tried again
struct LedgerMetrics {
  explicit LedgerMetrics(prometheus::Registry& registry);

  prometheus::Counter& claims;
  prometheus::Counter& replayed;
  prometheus::Counter& unknown_again;
  prometheus::Counter& under_way;
  prometheus::Counter& reused;
  prometheus::Counter& sent;
  prometheus::Counter& unknown;
  prometheus::Counter& released;
  prometheus::Gauge& unsettled;
};

}  // namespace aulm::gateway
