#pragma once

#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/options.h"

namespace aulm::simulator {

// One argument of the command line.
struct OptionRow {
  absl::string_view section;  // heading of the help; empty: as the row before
  absl::string_view name;     // with its dashes
  absl::string_view value;    // what stands after it, for the help; empty: a switch, set by its mere presence
  absl::string_view help;
  std::function<absl::Status(absl::string_view text, Options& options)> set;
};

// Every argument, in the order of the help.
std::span<const OptionRow> OptionTable();

}  // namespace aulm::simulator
