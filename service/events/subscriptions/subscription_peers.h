#pragma once

#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/subscription_peer.pb.h"
#include "service/storage/peer_channel.h"

// Questions about durable subscriptions from one replica to another, and their answers, as PeerChannel carries them.
namespace aulm::gateway {

using AnswerCallback = absl::AnyInvocable<void(absl::StatusOr<state::v1::SubscriptionAnswer>) &&>;

// Calls `done` once, on a thread of the channel's. Errors: NOT_FOUND when no such replica answers; else UNAVAILABLE; or
// what the other one answered.
void AskPeer(PeerChannel& peers, const std::string& replica, const state::v1::SubscriptionQuestion& question,
             absl::Duration timeout, AnswerCallback done);

// The same, and waits for it: blocks.
absl::StatusOr<state::v1::SubscriptionAnswer> AskPeerNow(PeerChannel& peers, const std::string& replica,
                                                         const state::v1::SubscriptionQuestion& question,
                                                         absl::Duration timeout);

// An answer that is an error.
state::v1::SubscriptionAnswer ToAnswer(const absl::Status& error);

}  // namespace aulm::gateway
