#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

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

// The way back to who asked: what is given first is the answer. Copies are the same way.
class PeerReply {
 public:
  explicit PeerReply(PeerChannel::AskCallback done)
      : done_(std::make_shared<PeerChannel::AskCallback>(std::move(done))) {}

  void Give(const state::v1::SubscriptionAnswer& answer) const { std::move (*done_)(answer.SerializeAsString()); }
  void Fail(const absl::Status& error) const;
  void Settled(const absl::StatusOr<v1::AcknowledgeEventsResponse>& response) const;
  void Replayed(const absl::StatusOr<uint64_t>& events) const;

 private:
  std::shared_ptr<PeerChannel::AskCallback> done_;
};

}  // namespace aulm::gateway
