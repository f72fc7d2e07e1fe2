#include "tests/simulator/scheduler.h"

#include <utility>

namespace aulm::simulator {

void Scheduler::After(absl::Duration delay, std::function<void()> callback) {
  const auto it = waiting_.emplace(Clock::now() + absl::ToChronoNanoseconds(delay), std::move(callback));
  if (it == waiting_.begin()) Arm();
}

void Scheduler::Arm() {
  timer_.expires_at(waiting_.begin()->first);
  timer_.async_wait([this](boost::system::error_code error) {
    if (!error) RunDue();
  });
}

void Scheduler::RunDue() {
  const Clock::time_point now = Clock::now();
  while (!waiting_.empty() && waiting_.begin()->first <= now) {
    const auto node = waiting_.extract(waiting_.begin());
    node.mapped()();
  }
  if (!waiting_.empty()) Arm();
}

}  // namespace aulm::simulator
