#include "service/events/subscriptions/settled_deliveries.h"

namespace aulm::gateway {
namespace {

SharedLedger::Action ToAction(v1::SettlementAction action) {
  switch (action) {
    case v1::SETTLEMENT_ACTION_RETRY:
      return SharedLedger::Action::kRetry;
    case v1::SETTLEMENT_ACTION_PARK:
      return SharedLedger::Action::kPark;
    case v1::SETTLEMENT_ACTION_SKIP:
      return SharedLedger::Action::kSkip;
    case v1::SETTLEMENT_ACTION_EXTEND:
      return SharedLedger::Action::kExtend;
    default:
      return SharedLedger::Action::kAck;
  }
}

}  // namespace

SettledDeliveries SettleDeliveries(const v1::AcknowledgeEventsRequest& request,
                                   const std::vector<std::optional<AckToken>>& tokens, uint64_t epoch, absl::Time now,
                                   SharedLedger& ledger, SubscriptionMetrics::Series& series) {
  SettledDeliveries settled;
  ledger.Tick(now);
  for (int i = 0; i < request.settlements_size(); ++i) {
    const v1::Settlement& settlement = request.settlements(i);
    const std::optional<AckToken>& token = tokens[static_cast<size_t>(i)];
    v1::SettlementResult& result = *settled.response.add_results();
    result.set_ack_token(settlement.ack_token());
    if (!token.has_value()) {
      result.set_result(v1::SETTLEMENT_EFFECT_UNKNOWN);
      continue;
    }
    std::optional<absl::Duration> delay;
    if (settlement.has_delay()) {
      delay = absl::Seconds(settlement.delay().seconds()) + absl::Nanoseconds(settlement.delay().nanos());
    }
    const SharedLedger::Action action = ToAction(settlement.action());
    if (token->epoch != epoch || !ledger.Settle(token->sequence, token->delivery, action, delay, now)) {
      series.stale->Increment();
      result.set_result(v1::SETTLEMENT_EFFECT_STALE);
      continue;
    }
    result.set_result(v1::SETTLEMENT_EFFECT_OK);
    settled.to_be_written = settled.to_be_written || action != SharedLedger::Action::kExtend;
    if (action == SharedLedger::Action::kAck) series.acknowledged->Increment();
    if (action == SharedLedger::Action::kSkip) series.skipped->Increment();
    if (action == SharedLedger::Action::kRetry) series.retried->Increment();
  }
  return settled;
}

}  // namespace aulm::gateway
