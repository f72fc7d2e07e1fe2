#include "tests/bench/peers/peers.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(30);

std::string AddressOf(ChildProcess& child, const std::string& name) {
  const absl::StatusOr<std::string> line = child.ReadLine(kStartLimit);
  if (!line.ok()) {
    std::fprintf(stderr, "the peer %s did not start: %s\n", name.c_str(), line.status().ToString().c_str());
    std::exit(1);
  }
  return line->substr(line->rfind(' ') + 1);
}

}  // namespace

std::vector<Peer> StartPeers(const std::string& folder, const std::string& aulm_base_url,
                             const std::string& webhook_secret) {
  constexpr std::array<std::pair<const char*, const char*>, 2> kPeers = {
      {{"Go peer", "AULM_GATEWAY_PEER_GO"}, {"Node peer", "AULM_GATEWAY_PEER_NODE"}}};
  std::vector<Peer> peers;
  for (const auto& [name, variable] : kPeers) {
    const char* const command = std::getenv(variable);
    if (command == nullptr) continue;
    const std::string store = absl::StrCat(folder, "/", variable);
    std::filesystem::create_directory(store);
    absl::StatusOr<ChildProcess> child =
        ChildProcess::Start(absl::StrSplit(command, ' '), {{"AULM_BASE_URL", aulm_base_url},
                                                           {"AULM_API_KEY", "alm_sk_live_bench"},
                                                           {"AULM_WEBHOOK_SECRET", webhook_secret},
                                                           {"PEER_PROTO", AULM_GATEWAY_PROTO},
                                                           {"PEER_STORE", store}});
    if (!child.ok()) {
      std::fprintf(stderr, "%s: %s\n", name, child.status().ToString().c_str());
      std::exit(1);
    }
    Peer peer{name, *std::move(child), "", ""};
    peer.grpc_address = AddressOf(peer.process, name);
    peer.webhook_address = AddressOf(peer.process, name);
    peers.push_back(std::move(peer));
  }
  return peers;
}

}  // namespace aulm::gateway
