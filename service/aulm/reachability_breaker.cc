#include "service/aulm/reachability_breaker.h"

#include <algorithm>

namespace aulm::gateway {
namespace {

// What a probe that has just begun may take before a repeated call finds the breaker closed.
constexpr absl::Duration kProbeTakes = absl::Milliseconds(250);

}  // namespace

ReachabilityBreaker::ReachabilityBreaker(const Options& options)
    : options_(options), probe_delay_(options.first_probe) {}

ReachabilityBreaker::Verdict ReachabilityBreaker::Ask(bool is_read, absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (!open_) return {};
  Verdict verdict;
  verdict.probe = now >= next_probe_;
  verdict.call = is_read && verdict.probe;
  verdict.retry_after = verdict.probe ? kProbeTakes : next_probe_ - now;
  if (verdict.call) {
    probe_delay_ = std::min(probe_delay_ * 2, options_.longest_probe);
    next_probe_ = now + probe_delay_;
  }
  return verdict;
}

bool ReachabilityBreaker::NoteAnswered() {
  absl::MutexLock lock(&mutex_);
  failures_in_a_row_ = 0;
  if (!open_) return false;
  open_ = false;
  probe_delay_ = options_.first_probe;
  return true;
}

bool ReachabilityBreaker::NoteUnreachable(absl::Time now) {
  absl::MutexLock lock(&mutex_);
  if (open_ || ++failures_in_a_row_ < options_.failures) return false;
  open_ = true;
  next_probe_ = now + probe_delay_;
  return true;
}

bool ReachabilityBreaker::open() const {
  absl::MutexLock lock(&mutex_);
  return open_;
}

}  // namespace aulm::gateway
