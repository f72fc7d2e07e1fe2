#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "tests/faults/cluster/fleet.h"

namespace aulm::gateway {

// Follows the log at a gateway of its own by cursor, and comes back with its cursor whenever its stream ends; where its
// gateway is dead, at the next one. Thread-safe beside Run.
class Subscriber {
 public:
  // The fleet outlives it.
  Subscriber(const Fleet& fleet, size_t home) : fleet_(fleet), home_(home) {}

  // Until Stop.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // False when so many have not come within `patience`.
  bool AwaitSize(size_t size, absl::Duration patience) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The delivery ids that came, in their order.
  std::vector<std::string> ids() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Take(const v1::SubscribeEventsResponse& frame) ABSL_LOCKS_EXCLUDED(mutex_);

  const Fleet& fleet_;
  const size_t home_;
  std::string cursor_;
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> ids_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
