#include "tests/simulator/seeded_faults.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace aulm::simulator {
namespace {

SeededFaultRates Rates(uint64_t seed) {
  SeededFaultRates rates;
  rates.seed = seed;
  rates.drop = 0.1;
  rates.lose_answer = 0.1;
  rates.error = 0.1;
  rates.delay = 0.1;
  rates.duplicate = 0.3;
  rates.reorder = 0.3;
  return rates;
}

// One letter a draw.
std::string Sequence(SeededFaults& dice, int draws) {
  std::string sequence;
  for (int i = 0; i < draws; ++i) {
    const std::optional<Fault> fault = dice.DrawApi();
    sequence += !fault                                   ? '.'
                : fault->drop == Fault::Drop::kAfterRead ? 'd'
                : fault->drop == Fault::Drop::kAnswer    ? 'l'
                : !fault->code.empty()                   ? 'e'
                : fault->delay > absl::ZeroDuration()    ? 't'
                                                         : '?';
  }
  return sequence;
}

TEST(SeededFaultsTest, TheSameSeedGivesTheSameFaults) {
  SeededFaults one(Rates(7));
  SeededFaults two(Rates(7));
  SeededFaults other(Rates(8));
  const std::string sequence = Sequence(one, 300);
  EXPECT_EQ(sequence, Sequence(two, 300));
  EXPECT_NE(sequence, Sequence(other, 300));
}

TEST(SeededFaultsTest, EachKindComesAboutAsOftenAsAsked) {
  SeededFaults dice(Rates(1));
  const std::string sequence = Sequence(dice, 10'000);
  for (char kind : {'d', 'l', 'e', 't'}) {
    EXPECT_NEAR(static_cast<double>(std::count(sequence.begin(), sequence.end(), kind)), 1'000, 150) << kind;
  }
}

TEST(SeededFaultsTest, WebhooksDoNotDisturbTheApi) {
  SeededFaults alone(Rates(7));
  SeededFaults mixed(Rates(7));
  const std::string sequence = Sequence(alone, 100);
  std::string interleaved;
  for (int i = 0; i < 100; ++i) {
    mixed.DrawWebhook();
    interleaved += Sequence(mixed, 1);
  }
  EXPECT_EQ(interleaved, sequence);
}

TEST(SeededFaultsTest, NothingHappensByDefault) {
  SeededFaults dice((SeededFaultRates()));
  for (int i = 0; i < 1'000; ++i) {
    EXPECT_FALSE(dice.DrawApi().has_value());
    const WebhookFault fault = dice.DrawWebhook();
    EXPECT_FALSE(fault.duplicate || fault.reorder || fault.delay > absl::ZeroDuration());
  }
}

}  // namespace
}  // namespace aulm::simulator
