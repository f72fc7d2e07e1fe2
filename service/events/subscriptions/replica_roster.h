#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/peer_channel.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Which replicas live. Each has a lease of its own in the state store (bucket replicas) and renews it; one whose lease
// did not change for a while, by the clock of whoever looks, counts as dead, so that no two clocks are ever compared.
// It decides only when to take over: that two never own the same is seen to by compare-and-set. With an embedded store
// there is nobody else, and nothing is written. Thread-safe; never blocks.
class ReplicaRoster : public std::enable_shared_from_this<ReplicaRoster> {
 public:
  static constexpr char kBucket[] = "replicas";  // a lease under each replica's id

  struct Options {
    absl::Duration renewal = absl::Milliseconds(1500);
    absl::Duration lease = absl::Seconds(6);  // unchanged for so long: dead
  };

  // All outlive the roster and its callbacks. `on_change` runs on a thread of the store's when a replica came or went,
  // and when a new term begins; it must not block.
  static std::shared_ptr<ReplicaRoster> Create(const Options& options, PeerChannel& peers, StateStore& state,
                                               Clock& clock, std::function<void()> on_change);

  void Start();

  // Ends the renewing. `leave`: and lets the others know at once, by deleting the lease.
  void Stop(bool leave) ABSL_LOCKS_EXCLUDED(mutex_);

  // One that is not known counts as alive until a look at the store that began later can tell.
  bool IsAlive(const std::string& replica) const ABSL_LOCKS_EXCLUDED(mutex_);

  // The store's word about another one's lease, just read: whoever renewed it since the last look lives.
  void TakeIn(const StateEntry& lease) ABSL_LOCKS_EXCLUDED(mutex_);

  // Not 0 while nobody can have declared this replica dead: only then it may hand anything out. A lease that lapsed
  // before it was renewed begins another term: what was held may be somebody else's by then.
  uint64_t Term() const ABSL_LOCKS_EXCLUDED(mutex_);

  // The others that live.
  std::vector<std::string> Others() const ABSL_LOCKS_EXCLUDED(mutex_);

  bool alone() const { return peers_.Alone(); }
  const std::string& self() const { return self_; }

 private:
  struct Seen {
    uint64_t revision = 0;
    absl::Time since;
    bool alive = false;  // at the last look
  };

  ReplicaRoster(const Options& options, PeerChannel& peers, StateStore& state, Clock& clock,
                std::function<void()> on_change);

  // How long this replica trusts its own lease: others cannot have given it up by then.
  absl::Duration OwnLease() const { return options_.lease - options_.renewal / 2; }
  void Renew() ABSL_LOCKS_EXCLUDED(mutex_);
  void Look() ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeIn(const std::vector<StateEntry>& entries, absl::Time begun) ABSL_LOCKS_EXCLUDED(mutex_);

  const Options options_;
  PeerChannel& peers_;
  StateStore& state_;
  Clock& clock_;
  const std::string self_;

  mutable absl::Mutex mutex_;
  std::function<void()> on_change_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Seen> seen_ ABSL_GUARDED_BY(mutex_);                 // the others
  mutable absl::flat_hash_map<std::string, absl::Time> asked_ ABSL_GUARDED_BY(mutex_);  // not known; first asked when
  absl::Time looked_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();                    // when the last look began
  absl::Time renewed_ ABSL_GUARDED_BY(mutex_) = absl::InfinitePast();
  uint64_t renewals_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t term_ ABSL_GUARDED_BY(mutex_) = 0;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
