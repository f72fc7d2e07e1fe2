#pragma once

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/btree_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// Whether the gateway wants traffic: named checks, each ready or not with a reason. The app sets them ("starting",
// "store", "draining"); /readyz tells them. Thread-safe.
class Readiness {
 public:
  struct Check {
    std::string name;
    std::string reason;  // why it is not ready, in words for people; empty when it is
  };

  // The check is ready. A check is made by naming it first.
  void SetReady(absl::string_view check);

  // The check is not ready, and `reason` (one line, not empty) says why.
  void SetNotReady(absl::string_view check, absl::string_view reason);

  // True when there are checks and all are ready: before anyone has spoken, nothing is.
  bool IsReady() const;

  // By name.
  std::vector<Check> Checks() const;

 private:
  mutable absl::Mutex mutex_;
  // Name → reason.
  absl::btree_map<std::string, std::string> checks_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
