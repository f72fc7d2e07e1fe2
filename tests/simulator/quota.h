#pragma once

#include <cstdint>
#include <optional>

#include "absl/time/time.h"

namespace aulm::simulator {

// The sends that an account may make: a daily cap that starts anew at UTC midnight, and on a trial an allowance for a
// window of 7 days (aulm API, "Response headers"). The API takes a slot per send and gives it back on an error that is
// refunded. Not thread-safe.
class Quota {
 public:
  // What the x-ratelimit-* headers say.
  struct Reading {
    int64_t limit = 0;
    int64_t remaining = 0;  // after this request, after a refund
    absl::Time reset;
  };
  // Which cap stopped a send.
  enum class Refusal { kNone, kDaily, kTrial };
  // Where a slot was taken from, to give it back to the same windows.
  struct Slot {
    absl::Time daily_reset;
    absl::Time trial_reset;
  };

  // `trial_limit` 0: the account is not on trial. The trial window begins now.
  Quota(int64_t daily_limit, int64_t trial_limit, absl::Time now);

  // Takes a slot of every cap that holds. kNone: taken, `slot` is set. Otherwise nothing was taken.
  Refusal Take(absl::Time now, Slot& slot);

  // Gives a taken slot back, unless its window has ended since.
  void Refund(const Slot& slot);

  // What the headers of an answer say: of the cap that refused, else of the trial on a trial, else of the day.
  Reading Read(Refusal refusal, absl::Time now);

  // For the control API: each given value replaces the present one. A reset moves the end of the present window.
  void Set(std::optional<int64_t> daily_limit, std::optional<int64_t> daily_used,
           std::optional<absl::Time> daily_reset);
  void SetTrial(std::optional<int64_t> limit, std::optional<int64_t> used, std::optional<absl::Time> reset);

 private:
  struct Window {
    int64_t limit = 0;
    int64_t used = 0;
    absl::Time reset;
  };

  void Roll(absl::Time now);

  Window daily_;
  Window trial_;  // limit 0: none
};

}  // namespace aulm::simulator
