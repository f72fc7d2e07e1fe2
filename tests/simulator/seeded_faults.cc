#include "tests/simulator/seeded_faults.h"

#include <array>

#include "absl/strings/string_view.h"

namespace aulm::simulator {
namespace {

// Not std::uniform_real_distribution: its sequence may differ between standard libraries.
double Roll(std::mt19937_64& dice) { return static_cast<double>(dice() >> 11) * 0x1p-53; }

constexpr std::array<absl::string_view, 4> kErrors = {"messaging_service_timeout", "messaging_service_unreachable",
                                                      "messaging_service_error", "service_unavailable"};

}  // namespace

SeededFaults::SeededFaults(const SeededFaultRates& rates) { Set(rates); }

void SeededFaults::Set(const SeededFaultRates& rates) {
  rates_ = rates;
  api_dice_.seed(rates.seed);
  webhook_dice_.seed(rates.seed + 1);
}

absl::Duration SeededFaults::DrawDelay(std::mt19937_64& dice) const { return rates_.longest_delay * Roll(dice); }

std::optional<Fault> SeededFaults::DrawApi() {
  if (!rates_.any_api()) return std::nullopt;
  Fault fault;
  double roll = Roll(api_dice_);
  // One roll decides: the kinds exclude each other, so their probabilities add up.
  if (roll < rates_.drop) {
    fault.drop = Fault::Drop::kAfterRead;
    return fault;
  }
  roll -= rates_.drop;
  if (roll < rates_.lose_answer) {
    fault.drop = Fault::Drop::kAnswer;
    return fault;
  }
  roll -= rates_.lose_answer;
  if (roll < rates_.error) {
    fault.code = std::string(kErrors[api_dice_() % kErrors.size()]);
    return fault;
  }
  roll -= rates_.error;
  if (roll < rates_.delay) {
    fault.delay = DrawDelay(api_dice_);
    return fault;
  }
  return std::nullopt;
}

WebhookFault SeededFaults::DrawWebhook() {
  WebhookFault fault;
  if (rates_.duplicate > 0) fault.duplicate = Roll(webhook_dice_) < rates_.duplicate;
  if (rates_.reorder > 0) fault.reorder = Roll(webhook_dice_) < rates_.reorder;
  if (rates_.webhook_delay > 0 && Roll(webhook_dice_) < rates_.webhook_delay) fault.delay = DrawDelay(webhook_dice_);
  return fault;
}

}  // namespace aulm::simulator
