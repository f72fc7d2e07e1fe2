#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// How fast one session may send.
struct Pace {
  bool off = false;
  absl::Duration interval = absl::Seconds(2);               // between two sends, on average
  double jitter = 0.2;                                      // each interval is off by up to this part of it
  int burst = 3;                                            // sends that may follow each other at once after a rest
  absl::Duration reply_interval = absl::Milliseconds(250);  // as interval, for replies
  absl::Duration reply_window = absl::Hours(24);            // a message to someone who wrote within it is a reply
  absl::Duration max_wait = absl::Seconds(30);              // the longest that a send waits for its slot
  int64_t daily_limit = 0;                                  // sends a UTC day; 0: no limit

  // For a new number: the daily limit grows in equal steps from the first day's to the last day's, then ends.
  struct WarmUp {
    int days = 14;
    int64_t first_day_limit = 20;
    int64_t last_day_limit = 1000;
  };
  WarmUp warm_up;
  // The first day on which the number was used; the ramp applies when it is set.
  std::optional<absl::CivilDay> active_since;

  // Sends allowed on `day` (UTC), the ramp included; 0: no limit.
  int64_t LimitOf(absl::CivilDay day) const;
};

// The pace of every session: the general one, or a session's own.
struct Paces {
  Pace general;
  absl::flat_hash_map<std::string, Pace> by_session;  // keys in lower case

  const Pace& Of(absl::string_view session_id) const;
};

}  // namespace aulm::gateway
