#include "service/admin/readiness.h"

#include <algorithm>

namespace aulm::gateway {

void Readiness::SetReady(absl::string_view check) {
  absl::MutexLock lock(&mutex_);
  checks_[std::string(check)].clear();
}

void Readiness::SetNotReady(absl::string_view check, absl::string_view reason) {
  absl::MutexLock lock(&mutex_);
  checks_[std::string(check)] = reason.empty() ? "not ready" : std::string(reason);
}

bool Readiness::IsReady() const {
  absl::MutexLock lock(&mutex_);
  return !checks_.empty() &&
         std::all_of(checks_.begin(), checks_.end(), [](const auto& check) { return check.second.empty(); });
}

std::vector<Readiness::Check> Readiness::Checks() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Check> checks;
  for (const auto& [name, reason] : checks_) checks.push_back({.name = name, .reason = reason});
  return checks;
}

}  // namespace aulm::gateway
