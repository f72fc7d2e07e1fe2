#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// Which request ids this replica is busy with, so that calls with the same id wait for the one that leads instead of
// racing it. Thread-safe.
class InFlightSends {
 public:
  // True: the id is the caller's to work on until it calls End. False: somebody else leads; `on_end` is called once, on
  // the thread that ends it, and must not block.
  bool LeadOrFollow(const std::string& id, std::function<void()> on_end) {
    absl::MutexLock lock(&mutex_);
    const auto [entry, leads] = followers_.try_emplace(id);
    if (!leads) entry->second.push_back(std::move(on_end));
    return leads;
  }

  // The leader is done with the id; everyone who follows looks again.
  void End(const std::string& id) {
    std::vector<std::function<void()>> followers;
    {
      absl::MutexLock lock(&mutex_);
      const auto entry = followers_.find(id);
      if (entry == followers_.end()) return;
      followers = std::move(entry->second);
      followers_.erase(entry);
    }
    for (const auto& on_end : followers) on_end();
  }

 private:
  absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::vector<std::function<void()>>> followers_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
