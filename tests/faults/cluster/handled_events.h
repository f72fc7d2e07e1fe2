#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "tests/faults/cluster/fleet.h"

namespace aulm::gateway {

// What the consumers of a SHARED subscription did with its events, held against what they were promised: no event that
// was settled comes again, none overtakes another of its conversation, and no conversation is in two hands at once.
// What came over a stream whose gateway was disturbed since is excused: it may have been decided on before, and others
// may have had it meanwhile. Failures are the test's. Thread-safe.
class HandledEvents {
 public:
  // A consumer's stream.
  struct Stream {
    size_t gateway = 0;
    int disturbances = 0;  // of the gateway, when it began
  };

  // The fleet outlives it.
  explicit HandledEvents(const Fleet& fleet) : fleet_(fleet) {}

  // A delivery came into a consumer's hands.
  void Begin(const v1::Delivery& delivery, const Stream& stream) ABSL_LOCKS_EXCLUDED(mutex_);
  // It is handled, and about to be settled.
  void End(const v1::Event& event) ABSL_LOCKS_EXCLUDED(mutex_);
  // The gateway said OK.
  void Settled(const std::string& delivery_id) ABSL_LOCKS_EXCLUDED(mutex_);

  // Waits a moment for others to get something, so that what is in hand stays there while more comes.
  void Linger() ABSL_LOCKS_EXCLUDED(mutex_);

  // False when so many different ones were not handled within `patience`.
  bool AwaitHandled(size_t count, absl::Duration patience) const ABSL_LOCKS_EXCLUDED(mutex_);
  size_t handled() const ABSL_LOCKS_EXCLUDED(mutex_);
  int redelivered() const ABSL_LOCKS_EXCLUDED(mutex_);
  bool Has(const std::string& delivery_id) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Hand {
    std::string delivery_id;
    Stream stream;
  };

  bool IsDisturbed(const Stream& stream) const { return fleet_.disturbances(stream.gateway) != stream.disturbances; }

  const Fleet& fleet_;
  mutable absl::Mutex mutex_;
  uint64_t begun_ ABSL_GUARDED_BY(mutex_) = 0;
  int redelivered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, Hand> hands_ ABSL_GUARDED_BY(mutex_);  // by peer
  std::set<std::string> handled_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> settled_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
