#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway::ctl {

// One line on stderr that is written over as work goes on, for somebody who watches; writes nothing where stderr is no
// terminal. Not thread-safe.
class ProgressLine {
 public:
  ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;
  // As Wipe.
  ~ProgressLine();

  // Puts `text`, shorter than a usual terminal is wide, in place of what stands there.
  void Show(absl::string_view text);

  // Leaves the line empty.
  void Wipe();

 private:
  const bool visible_;
};

}  // namespace aulm::gateway::ctl
