#pragma once

#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/aulm/aulm_client.h"

namespace aulm::gateway {

// Keeps what a send came to, and lets a test wait for it. Thread-safe.
class RecordingSendObserver final : public SendObserver {
 public:
  void OnDetached(absl::Status so_far) override {
    absl::MutexLock lock(&mutex_);
    detached_ = std::move(so_far);
  }

  void OnDone(absl::StatusOr<SendResult> result) override {
    absl::MutexLock lock(&mutex_);
    ++times_done_;
    result_ = std::move(result);
  }

  // Waits for OnDone; DEADLINE_EXCEEDED "the test waited in vain" when it does not come in 20 seconds.
  absl::StatusOr<SendResult> Wait() {
    const auto done = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return result_.has_value(); };
    absl::MutexLock lock(&mutex_);
    if (!mutex_.AwaitWithTimeout(absl::Condition(&done), absl::Seconds(20))) {
      return absl::DeadlineExceededError("the test waited in vain");
    }
    return *result_;
  }

  // Waits for OnDetached or OnDone; what OnDetached said, or nullopt when OnDone came without it.
  std::optional<absl::Status> WaitDetached() {
    const auto told = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return detached_.has_value() || result_.has_value();
    };
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&told), absl::Seconds(20));
    return detached_;
  }

  bool done() const {
    absl::MutexLock lock(&mutex_);
    return result_.has_value();
  }
  int times_done() const {
    absl::MutexLock lock(&mutex_);
    return times_done_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::optional<absl::Status> detached_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::StatusOr<SendResult>> result_ ABSL_GUARDED_BY(mutex_);
  int times_done_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace aulm::gateway
