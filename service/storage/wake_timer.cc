#include "service/storage/wake_timer.h"

#include <utility>

namespace aulm::gateway {

WakeTimer::WakeTimer(Clock& clock, std::function<void()> wake) : clock_(clock), shared_(std::make_shared<Shared>()) {
  absl::MutexLock lock(&shared_->mutex);
  shared_->wake = std::move(wake);
}

WakeTimer::~WakeTimer() {
  absl::MutexLock lock(&shared_->mutex);
  shared_->wake = nullptr;
}

void WakeTimer::Schedule(absl::Duration delay) {
  {
    absl::MutexLock lock(&shared_->mutex);
    if (shared_->pending) return;
    shared_->pending = true;
  }
  clock_.CallAfter(delay, [shared = shared_] {
    // Held while waking, so that the destructor waits for a call under way.
    absl::MutexLock lock(&shared->mutex);
    shared->pending = false;
    if (shared->wake) shared->wake();
  });
}

}  // namespace aulm::gateway
