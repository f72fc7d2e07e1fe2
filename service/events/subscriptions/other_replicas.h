#pragma once

#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "aulm/gateway/state/v1/subscription_peer.pb.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/events/subscriptions/durable_subscription.h"
#include "service/events/subscriptions/replica_roster.h"
#include "service/storage/event_log.h"
#include "service/storage/peer_channel.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// What has to do with the parts of a subscription that other replicas have, or nobody: asks those replicas, or does it
// in the store. Callbacks run once, inline or on a thread of the peers', and must not block. Thread-safe.
class OtherReplicas {
 public:
  // All outlive it and what was asked.
  OtherReplicas(PeerChannel& peers, const ReplicaRoster& roster, StateStore& state, EventLog& log)
      : peers_(peers), roster_(roster), state_(state), log_(log) {}

  // Asks `owner` to settle what it handed out. Error: NOT_FOUND when there is no such replica any more; those of
  // DurableSubscription::Acknowledge.
  void Acknowledge(const std::string& owner, v1::AcknowledgeEventsRequest request,
                   DurableSubscription::AcknowledgeCallback done);

  // Something about the subscription changed: they are to look at the store. Does not wait for them.
  void Tell(const std::vector<std::string>& replicas, const std::string& subscription);

  // Puts parked events back, of whatever share: `subscription`'s own, others' by asking them, and what nobody has for
  // whoever takes it. Blocks on the store, not on the others.
  void Replay(DurableSubscription& subscription, v1::ReplayParkedEventsRequest request,
              absl::AnyInvocable<void(absl::StatusOr<v1::ReplayParkedEventsResponse>) &&> done);

  // How far all shares are; of one whose replica does not answer, what the store has of it. Blocks. Errors: the
  // store's.
  absl::StatusOr<state::v1::ShareStats> ReadStats(DurableSubscription& subscription);

 private:
  PeerChannel& peers_;
  const ReplicaRoster& roster_;
  StateStore& state_;
  EventLog& log_;
};

}  // namespace aulm::gateway
