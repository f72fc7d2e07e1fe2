#pragma once

#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// The right to be the one replica that does something, taken in the state store for a while at a time and renewed. Two
// replicas can both believe in it for a moment when a clock is wrong: what they do must be harmless when done twice.
// Thread-safe; never blocks.
class Lease : public std::enable_shared_from_this<Lease> {
 public:
  struct Options {
    std::string name;                             // of what is leased: [a-z_]+
    std::string owner;                            // this replica, new with each start
    bool sole_owner = true;                       // no other replica shares the store: any other owner is a dead one
    absl::Duration duration = absl::Seconds(30);  // how long another replica waits for a dead one
  };

  // Both references outlive the lease and every callback of theirs.
  static std::shared_ptr<Lease> Create(Options options, StateStore& store, Clock& clock);

  // Tries to take it now, and from time to time from now on.
  void Start();

  // Lets it go, so that another replica can have it at once.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  bool held() const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  Lease(Options options, StateStore& store, Clock& clock)
      : options_(std::move(options)), store_(store), clock_(clock) {}

  void Renew() ABSL_LOCKS_EXCLUDED(mutex_);
  void Take(uint64_t revision) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  StateStore& store_;
  Clock& clock_;

  mutable absl::Mutex mutex_;
  absl::Time held_until_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
