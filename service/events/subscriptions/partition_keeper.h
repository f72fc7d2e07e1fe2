#pragma once

#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/events/event_hub.h"
#include "service/events/subscriptions/assignment.h"
#include "service/events/subscriptions/durable_subscription.h"
#include "service/events/subscriptions/replica_roster.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Makes this replica's share of a subscription what the assignment's rules say it should be: takes what is to be had,
// gives back what is too much. Each step is written so that a crash between any two leaves the assignment true. Used by
// the registry's thread alone; every call blocks on the store.
class PartitionKeeper {
 public:
  // All outlive this.
  PartitionKeeper(EventHub& hub, StateStore& state, Clock& clock, Random& random, ReplicaRoster& roster)
      : hub_(hub), state_(state), clock_(clock), random_(random), roster_(roster) {}

  enum class Claim {
    kPart,  // what this replica's consumers make its part
    kAll,   // all that is to be had, consumers or not
  };

  // Looks at the assignment and does what is due now. `told` gets the replicas that should look, too. Ends the
  // subscription's object where another replica moved or took over what it had. Errors: SUBSCRIPTION_NOT_FOUND (and it
  // is ended), DRAINING when it was ended, STORE_UNAVAILABLE; then it is to be tried again later.
  absl::Status Keep(DurableSubscription& subscription, Claim claim, std::vector<std::string>& told);

  // Gives back all that a subscription has, which was drained, so that others can have it at once.
  void GiveBack(DurableSubscription& subscription, std::vector<std::string>& told);

  // Moves a subscription to `position`, whoever has it. `told`: who had it. Error: STORE_UNAVAILABLE.
  absl::Status Move(const std::string& subscription_id, const Position& position, std::vector<std::string>& told);

 private:
  // One step; true when there may be another.
  absl::StatusOr<bool> Step(DurableSubscription& subscription, Claim claim, std::vector<std::string>& told);
  absl::StatusOr<bool> Take(DurableSubscription& subscription, const StoredAssignment& stored, Assignment next,
                            const Assignment::Share& from, PartitionSet partitions, uint64_t term);
  absl::StatusOr<bool> Release(DurableSubscription& subscription, const StoredAssignment& stored, Assignment next,
                               PartitionSet partitions, uint64_t term);
  // Reads the leases again of owners that count as dead, so that none is taken over that has come back.
  absl::Status LookForTheDead(const Assignment& assignment);
  absl::StatusOr<std::vector<state::v1::ParkedRecord>> ReadParked(const DurableSubscription& subscription,
                                                                  PartitionSet partitions, uint64_t generation,
                                                                  AckBlocks& blocks);
  absl::Status LeaveEarlierShare(const DurableSubscription& subscription, const StoredAssignment& stored,
                                 const Assignment::Share& own);
  // What is kept is of another log, or of a part that was lost: it goes on from the oldest event.
  absl::Status StartAnew(DurableSubscription& subscription, uint64_t floor);

  EventHub& hub_;
  StateStore& state_;
  Clock& clock_;
  Random& random_;
  ReplicaRoster& roster_;
  // Subscriptions that are further than this replica knows the log to be, and since when.
  absl::flat_hash_map<std::string, absl::Time> ahead_;
};

}  // namespace aulm::gateway
