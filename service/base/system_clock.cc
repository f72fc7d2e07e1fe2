#include "service/base/system_clock.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>

#include "absl/time/clock.h"

namespace aulm::gateway {
namespace {

int64_t MonotonicNanoseconds() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

// absl's CondVar may overflow on very long waits; the loop looks again anyway.
constexpr absl::Duration kLongestWait = absl::Hours(1);

}  // namespace

SystemClock::SystemClock() : thread_([this] { Run(); }) {}

SystemClock::~SystemClock() { Stop(); }

void SystemClock::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

absl::Time SystemClock::Now() const { return absl::Now(); }

Clock::TimerId SystemClock::CallAfter(absl::Duration delay, std::function<void()> callback) {
  const int64_t wait = absl::ToInt64Nanoseconds(std::clamp(delay, absl::ZeroDuration(), absl::Hours(24 * 365 * 10)));
  const int64_t due = MonotonicNanoseconds() + wait;
  absl::MutexLock lock(&mutex_);
  const TimerId id = next_id_++;
  const bool is_first = pending_.empty() || due < pending_.begin()->first.first;
  pending_.emplace(Due(due, id), std::move(callback));
  due_of_.emplace(id, due);
  if (is_first) changed_.Signal();
  return id;
}

bool SystemClock::Cancel(TimerId timer) {
  std::function<void()> dropped;  // declared before the lock, so destroyed after it: it may own anything
  absl::MutexLock lock(&mutex_);
  auto due = due_of_.find(timer);
  if (due == due_of_.end()) return false;
  auto pending = pending_.find(Due(due->second, timer));
  dropped = std::move(pending->second);
  pending_.erase(pending);
  due_of_.erase(due);
  return true;
}

void SystemClock::Run() {
  pthread_setname_np(pthread_self(), "clock");
  mutex_.Lock();
  while (!stopping_) {
    const int64_t now = MonotonicNanoseconds();
    if (pending_.empty() || pending_.begin()->first.first > now) {
      const absl::Duration wait =
          pending_.empty() ? kLongestWait : absl::Nanoseconds(pending_.begin()->first.first - now);
      changed_.WaitWithTimeout(&mutex_, std::min(wait, kLongestWait));
      continue;
    }
    auto first = pending_.begin();
    std::function<void()> callback = std::move(first->second);
    due_of_.erase(first->first.second);
    pending_.erase(first);
    mutex_.Unlock();
    callback();
    callback = nullptr;
    mutex_.Lock();
  }
  mutex_.Unlock();
}

}  // namespace aulm::gateway
