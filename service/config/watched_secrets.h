#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "service/config/secret.h"

namespace aulm::gateway {

// The secrets of one purpose at one time. Never changes; old ones are wiped when their last reader lets go.
struct SecretSnapshot {
  uint64_t generation = 1;      // of the start; one more with each change of the secrets
  std::vector<Secret> secrets;  // at least one, none twice, in the order of the files and their lines
};

// The secrets of one purpose (an account's key, its webhook secrets) as they stand now. SecretWatcher keeps it up to
// date; whoever needs a secret asks Current() each time. Thread-safe; never blocks on a file.
class WatchedSecrets {
 public:
  using Snapshot = std::shared_ptr<const SecretSnapshot>;

  explicit WatchedSecrets(Snapshot first) : current_(std::move(first)) {}

  // Never null.
  Snapshot Current() const {
    absl::MutexLock lock(&mutex_);
    return current_;
  }

  void Set(Snapshot snapshot) {
    absl::MutexLock lock(&mutex_);
    current_.swap(snapshot);
  }

 private:
  mutable absl::Mutex mutex_;
  Snapshot current_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
