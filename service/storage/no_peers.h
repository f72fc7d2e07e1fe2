#pragma once

#include <string>
#include <utility>

#include "absl/status/status.h"
#include "service/storage/peer_channel.h"

namespace aulm::gateway {

// The peer channel of an embedded store: one replica, nobody to ask.
class NoPeers final : public PeerChannel {
 public:
  explicit NoPeers(std::string self) : self_(std::move(self)) {}

  absl::string_view Self() const override { return self_; }

  bool Alone() const override { return true; }

  void Ask(absl::string_view, std::string, absl::Duration, AskCallback done) override {
    std::move(done)(absl::NotFoundError("an embedded store has no other replicas"));
  }

  void Answer(AnswerFunction) override {}

  void Tell(std::string) override {}

  void Listen(Listener) override {}

 private:
  const std::string self_;
};

}  // namespace aulm::gateway
