#pragma once

#include <span>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// A recipient that makes a send end in a set way. The numbers are below +999, a country code that is not assigned, so
// that none can be somebody's. Shown by `--help` and in README.md.
struct MagicNumber {
  enum class Effect {
    kError,       // the error of `code`; nothing is accepted
    kEcho,        // accepted, and the recipient answers (also without --echo)
    kFails,       // accepted, then the status `failed` instead of delivered and read
    kPlayed,      // accepted, and `played` follows `read`
    kSilent,      // accepted, no status follows
    kLoseAnswer,  // accepted, but the connection closes unanswered
    kDrop,        // the connection closes unanswered and nothing is accepted
    kSlow,        // accepted, answered after --slow-ms
    kDoubtful,    // accepted and answered with the error of `code`: statuses follow all the same
  };

  absl::string_view number;
  Effect effect = Effect::kError;
  absl::string_view code;  // of the error table
};

std::span<const MagicNumber> MagicNumbers();

// Null when `to` is an ordinary number.
const MagicNumber* FindMagicNumber(absl::string_view to);

// What the number does, in words for `--help`.
absl::string_view DescribeEffect(MagicNumber::Effect effect);

}  // namespace aulm::simulator
