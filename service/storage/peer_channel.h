#pragma once

#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// The seam to the other replicas of one store: ask one of them, and answer. With an embedded store there are none
// (NoPeers). Thread-safe; never blocks; callbacks run exactly once, on a thread of the channel's.
class PeerChannel {
 public:
  using AskCallback = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;
  // Gives the answer to a question of a peer: called on the channel's thread, may answer later from any thread.
  using AnswerFunction = std::function<void(std::string question, AskCallback answer)>;

  virtual ~PeerChannel() = default;

  // This replica's id, unique among the replicas of the store and new with each start.
  virtual absl::string_view Self() const = 0;

  // True when no other replica can have the store: an embedded one.
  virtual bool Alone() const { return false; }

  // Sends `question` (at most 64 KiB) to `peer`. Errors: NOT_FOUND when no such replica answers, DEADLINE_EXCEEDED,
  // UNAVAILABLE; or what the peer's AnswerFunction gave.
  virtual void Ask(absl::string_view peer, std::string question, absl::Duration timeout, AskCallback done) = 0;

  // Sets who answers questions to this replica; call it once, before any.
  virtual void Answer(AnswerFunction answer) = 0;
};

}  // namespace aulm::gateway
