#pragma once

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// How many log lines of one kind may be written, so that hostile or broken peers cannot flood the log: `lines` in each
// window. Thread-safe.
class LogAllowance {
 public:
  explicit LogAllowance(uint64_t lines = 10, absl::Duration window = absl::Seconds(10))
      : lines_(lines), window_(window) {}

  // nullopt: stay silent. Otherwise write a line, and say in it that so many before it were left out.
  std::optional<uint64_t> Take(absl::Time now) {
    absl::MutexLock lock(&mutex_);
    if (now >= start_ + window_ || now < start_) {
      start_ = now;
      taken_ = 0;
    }
    if (taken_ >= lines_) {
      ++left_out_;
      return std::nullopt;
    }
    ++taken_;
    return std::exchange(left_out_, 0);
  }

 private:
  const uint64_t lines_;
  const absl::Duration window_;
  absl::Mutex mutex_;
  absl::Time start_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t left_out_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace aulm::gateway
