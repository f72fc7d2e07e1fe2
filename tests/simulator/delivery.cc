#include "tests/simulator/delivery.h"

#include "absl/strings/string_view.h"

namespace aulm::simulator {

namespace {

struct StateRow {
  Delivery::State state;
  absl::string_view word;
};

constexpr StateRow kStates[] = {
    {Delivery::State::kQueued, "queued"},   {Delivery::State::kInFlight, "in_flight"},
    {Delivery::State::kWaiting, "waiting"}, {Delivery::State::kDelivered, "delivered"},
    {Delivery::State::kFailed, "failed"},   {Delivery::State::kDropped, "dropped"},
};

}  // namespace

absl::string_view DeliveryStateWord(Delivery::State state) {
  for (const StateRow& row : kStates) {
    if (row.state == state) return row.word;
  }
  return "";
}

Delivery::State ParseDeliveryState(absl::string_view word) {
  for (const StateRow& row : kStates) {
    if (row.word == word) return row.state;
  }
  return Delivery::State::kQueued;
}

}  // namespace aulm::simulator
