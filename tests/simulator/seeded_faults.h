#pragma once

#include <cstdint>
#include <optional>
#include <random>

#include "absl/time/time.h"
#include "tests/simulator/fault.h"

namespace aulm::simulator {

// Probabilities, each from 0 to 1.
struct SeededFaultRates {
  uint64_t seed = 1;
  double drop = 0;                                         // API: closed unanswered, not accepted
  double lose_answer = 0;                                  // API: accepted, closed unanswered
  double error = 0;                                        // API: 502, 503 or 504 of the error table, not accepted
  double delay = 0;                                        // API: answered late
  double duplicate = 0;                                    // webhooks: sent once more after a success
  double reorder = 0;                                      // webhooks: held back until the next one has passed
  double webhook_delay = 0;                                // webhooks: sent late
  absl::Duration longest_delay = absl::Milliseconds(200);  // late is evenly spread up to this

  bool any_api() const { return drop > 0 || lose_answer > 0 || error > 0 || delay > 0; }
};

// What the dice say about one webhook.
struct WebhookFault {
  bool duplicate = false;
  bool reorder = false;
  absl::Duration delay;
};

// Faults by chance, the same ones in the same order for the same seed and the same sequence of draws. The API draws per
// request, the deliveries draw per webhook, each from a generator of its own so that neither disturbs the other. Not
// thread-safe.
class SeededFaults {
 public:
  explicit SeededFaults(const SeededFaultRates& rates);

  // Starts both sequences anew with these rates.
  void Set(const SeededFaultRates& rates);
  const SeededFaultRates& rates() const { return rates_; }

  // Nothing most of the time.
  std::optional<Fault> DrawApi();
  WebhookFault DrawWebhook();

 private:
  absl::Duration DrawDelay(std::mt19937_64& dice) const;

  SeededFaultRates rates_;
  std::mt19937_64 api_dice_;
  std::mt19937_64 webhook_dice_;
};

}  // namespace aulm::simulator
