#pragma once

#include <functional>
#include <string>

#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// The seam to the other replicas of one store: ask one of them and answer, tell all of them and listen. With an
// embedded store there are none (NoPeers). Thread-safe; never blocks; callbacks run on a thread of the channel's, that
// of Ask exactly once.
class PeerChannel {
 public:
  using AskCallback = absl::AnyInvocable<void(absl::StatusOr<std::string>) &&>;
  // Gives the answer to a question of a peer: called on the channel's thread, may answer later from any thread.
  using AnswerFunction = std::function<void(std::string question, AskCallback answer)>;

  // Who hears what the other replicas tell. Both run on threads of the channel's, and must not block.
  struct Listener {
    std::function<void(absl::string_view news)> on_news;
    // True from when on others are heard, false when the connection to them broke: what they tell then is lost. True
    // comes again after each break.
    std::function<void(bool hears)> on_hearing;
  };

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

  // Sends `news`, at most 64 KiB, to every other replica that listens. Nothing is kept, and nobody says who heard it.
  virtual void Tell(std::string news) = 0;

  // Sets who hears what others tell; call it once.
  virtual void Listen(Listener listener) = 0;
};

}  // namespace aulm::gateway
