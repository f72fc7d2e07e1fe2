#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "tests/faults/cluster/fleet.h"
#include "tests/faults/cluster/handled_events.h"

namespace aulm::gateway {

// A consumer of the SHARED subscription "bot" at a gateway of its own, where that is dead at the next one. Settles what
// it handled at another gateway than the one that delivered, as a load balancer may have it, and reads on meanwhile:
// what lay unread while a settlement waits for its answer could have been given to others by the time it is read. Stop
// is thread-safe.
class SharedConsumer {
 public:
  static constexpr char kSubscription[] = "bot";

  // Makes the subscription, from the log's start.
  static void CreateSubscription(const Fleet& fleet);

  // Both outlive it.
  SharedConsumer(const Fleet& fleet, size_t home, HandledEvents& history)
      : fleet_(fleet), home_(home), history_(history) {
    silent_.fill(-1);
  }

  // Until Stop.
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  // One stream, until it ends.
  void Follow(size_t gateway, grpc::ClientContext& context);
  void SettleAll() ABSL_LOCKS_EXCLUDED(mutex_);
  // Settles what `gateway` delivered.
  void Settle(size_t gateway, const v1::EventBatch& handled);

  using Stubs = std::map<std::string, std::unique_ptr<v1::EventService::Stub>>;  // by address
  v1::EventService::Stub& StubOf(size_t gateway, Stubs& stubs);

  const Fleet& fleet_;
  const size_t home_;
  HandledEvents& history_;
  Stubs reading_;                         // of Run
  Stubs settling_;                        // of its second thread, as the next
  std::array<int, Fleet::kSize> silent_;  // Fleet::disturbances when a gateway last did not answer in time
  absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  std::map<size_t, v1::EventBatch> handled_ ABSL_GUARDED_BY(mutex_);  // by gateway: not settled yet
};

}  // namespace aulm::gateway
