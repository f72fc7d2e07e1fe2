#include "tests/simulator/fault_plan.h"

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {
namespace {

bool FitsHeader(const Fault& fault, absl::string_view method, absl::string_view path) {
  return (fault.method.empty() || fault.method == method) && absl::StartsWith(path, fault.path);
}

}  // namespace

bool FaultPlan::TakeUnreadDrop(absl::string_view method, absl::string_view path) {
  for (auto it = faults_.begin(); it != faults_.end(); ++it) {
    if (!FitsHeader(*it, method, path)) continue;
    // An older fault that fits comes first; whether one with a part of the body fits is not known yet, so it yields.
    if (it->drop == Fault::Drop::kBeforeRead) {
      CountDown(it);
      return true;
    }
    if (it->body_contains.empty()) return false;
  }
  return false;
}

std::optional<Fault> FaultPlan::Take(absl::string_view method, absl::string_view path, absl::string_view body) {
  for (auto it = faults_.begin(); it != faults_.end(); ++it) {
    if (it->drop == Fault::Drop::kBeforeRead || !FitsHeader(*it, method, path)) continue;
    if (!absl::StrContains(body, it->body_contains)) continue;
    Fault taken = *it;
    CountDown(it);
    return taken;
  }
  return std::nullopt;
}

void FaultPlan::CountDown(std::deque<Fault>::iterator fault) {
  if (fault->count != 0 && --fault->count == 0) faults_.erase(fault);
}

}  // namespace aulm::simulator
