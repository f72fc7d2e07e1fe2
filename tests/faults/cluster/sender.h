#pragma once

#include <array>
#include <atomic>
#include <string>
#include <vector>

#include "tests/faults/cluster/fleet.h"

namespace aulm::gateway {

// aulm behind a load balancer: posts one delivery after the other to a gateway of its own, each until it is
// acknowledged, after a failure or no answer also to the next gateway. Deliveries are messages of a few peers in turn,
// most of them new, some old enough that the gateway looks whether it had them before.
class Sender {
 public:
  static constexpr int kPeers = 8;
  // How long it waits for an answer. A gateway whose store has trouble says so after 4.5 s.
  static constexpr absl::Duration kPatience = absl::Seconds(8);

  // How the gateways answered. Thread-safe.
  struct Counts {
    std::atomic<int> acknowledged{0};
    std::atomic<int> refused{0};
  };
  using AllCounts = std::array<Counts, Fleet::kSize>;

  // `home`: its gateway; `number` is unique. The fleet and the counts outlive it.
  Sender(Fleet& fleet, size_t home, int number, AllCounts& counts)
      : fleet_(fleet), home_(home), number_(number), counts_(counts) {}

  void Run(const std::atomic<bool>& stop);

  // Acknowledged, in the order in which they were made. After Run.
  const std::vector<std::string>& ids() const { return ids_; }

  // The delivery of the same conversation before this one; empty: it is the first.
  static std::string Before(const std::string& id);

 private:
  Fleet& fleet_;
  const size_t home_;
  const int number_;
  AllCounts& counts_;
  std::vector<std::string> ids_;
};

}  // namespace aulm::gateway
