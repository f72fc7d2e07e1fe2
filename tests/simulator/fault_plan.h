#pragma once

#include <cstddef>
#include <deque>
#include <optional>

#include "absl/strings/string_view.h"
#include "tests/simulator/fault.h"

namespace aulm::simulator {

// The faults that the control API has queued, oldest first: each request takes the first that fits it. Not thread-safe.
class FaultPlan {
 public:
  void Add(Fault fault) { faults_.push_back(std::move(fault)); }
  void Clear() { faults_.clear(); }

  // The first fault that fits a request whose header alone is known, if it is a drop before reading. Counts it down.
  bool TakeUnreadDrop(absl::string_view method, absl::string_view path);

  // The first fault that fits, counted down; drops before reading are never taken here.
  std::optional<Fault> Take(absl::string_view method, absl::string_view path, absl::string_view body);

  bool empty() const { return faults_.empty(); }
  const std::deque<Fault>& faults() const { return faults_; }

 private:
  void CountDown(std::deque<Fault>::iterator fault);

  std::deque<Fault> faults_;
};

}  // namespace aulm::simulator
