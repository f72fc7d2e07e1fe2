#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::simulator {

// One try at a delivery.
struct DeliveryAttempt {
  int number = 1;          // x-aulm-attempt
  int64_t started_us = 0;  // CLOCK_MONOTONIC
  int64_t ended_us = 0;    // 0 while under way
  int status = 0;          // HTTP status of the answer; 0: none came
  std::string error;       // why none came
};

// One webhook: what is sent and how its attempts went.
struct Delivery {
  enum class State {
    kQueued,     // waits for its turn
    kInFlight,   // an attempt is under way
    kWaiting,    // waits for its next attempt
    kDelivered,  // answered 2xx
    kFailed,     // permanent failure, or out of attempts
    kDropped,    // never sent: the endpoint is disabled, or there is none
  };

  uint64_t sequence = 0;    // from 1 within an account, never reused
  std::string event;        // x-aulm-event; empty: no such header
  std::string delivery_id;  // x-aulm-delivery-id; empty: no such header
  std::string body;
  std::optional<std::string> signature;  // instead of the right one; empty: no such header
  std::vector<std::pair<std::string, std::string>> extra_headers;
  int next_attempt = 1;
  bool duplicate = false;  // to be sent once more after it succeeds (seeded fault)

  State state = State::kQueued;
  std::vector<DeliveryAttempt> attempts;

  // True when nothing more will happen to it.
  bool is_done() const { return state == State::kDelivered || state == State::kFailed || state == State::kDropped; }
};

absl::string_view DeliveryStateWord(Delivery::State state);

// The state of a word; an unknown word reads as kQueued.
Delivery::State ParseDeliveryState(absl::string_view word);

}  // namespace aulm::simulator
