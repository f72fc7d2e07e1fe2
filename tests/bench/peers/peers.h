#pragma once

#include <string>
#include <vector>

#include "tests/support/child_process.h"

namespace aulm::gateway {

// A gateway as a team would write it for itself (tests/bench/peers), started for a benchmark that measures it beside
// ours.
struct Peer {
  std::string name;
  ChildProcess process;
  std::string grpc_address;
  std::string webhook_address;
};

// Starts those that ./dev bench has built: it names their commands in AULM_GATEWAY_PEER_GO and AULM_GATEWAY_PEER_NODE,
// by blanks. Each keeps its store in a folder of its own below `folder`, is durable as ours is, and ends with what is
// returned. One that does not start ends the program.
std::vector<Peer> StartPeers(const std::string& folder, const std::string& aulm_base_url,
                             const std::string& webhook_secret);

}  // namespace aulm::gateway
