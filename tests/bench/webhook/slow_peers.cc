#include "tests/bench/webhook/slow_peers.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kRound = absl::Seconds(1);
constexpr size_t kSlices = 20;  // of a round, so that the peers' bytes are spread over it
constexpr size_t kSources = 4;  // each below the limit of one address

const std::string& Request(Slowness slowness) {
  static const std::string& header = *new std::string("POST /webhooks/aulm HTTP/1.1\r\nHost: a\r\nX: ");
  static const std::string& body =
      *new std::string("POST /webhooks/aulm HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n");
  static const std::string& get = *new std::string("GET /webhooks/aulm HTTP/1.1\r\nHost: a\r\n\r\n");
  return slowness == Slowness::kHeaders ? header : slowness == Slowness::kBodies ? body : get;
}

sockaddr_in Ipv4(const std::string& host, uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  inet_pton(AF_INET, host.c_str(), &address.sin_addr);
  return address;
}

}  // namespace

SlowPeers::SlowPeers(Slowness slowness, size_t count, std::string address)
    : slowness_(slowness), address_(std::move(address)), peers_(count), thread_([this] { Run(); }) {}

SlowPeers::~SlowPeers() {
  stopping_ = true;
  thread_.join();
  for (const Peer& peer : peers_) close(peer.socket);
}

void SlowPeers::AwaitOpen() const {
  while (!opened_) absl::SleepFor(absl::Milliseconds(1));
}

void SlowPeers::Open(size_t index) {
  Peer& peer = peers_[index];
  if (peer.socket >= 0) close(peer.socket);
  const std::pair<std::string, std::string> parts = absl::StrSplit(address_, ':');
  uint32_t port = 0;
  if (!absl::SimpleAtoi(parts.second, &port)) return;
  peer = {socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), 0};
  const int small = 4096;  // so that what is not read soon fills the server's side
  setsockopt(peer.socket, SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
  const sockaddr_in own = Ipv4(absl::StrCat("127.0.9.", 1 + index % kSources), 0);
  const sockaddr_in server = Ipv4(parts.first, static_cast<uint16_t>(port));
  bind(peer.socket, reinterpret_cast<const sockaddr*>(&own), sizeof(own));
  connect(peer.socket, reinterpret_cast<const sockaddr*>(&server), sizeof(server));
}

bool SlowPeers::GoOn(Peer& peer) const {
  const std::string& request = Request(slowness_);
  if (slowness_ == Slowness::kReading) {
    for (int i = 0; i < 1000; ++i) {
      const ssize_t sent = send(peer.socket, request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
      if (sent == static_cast<ssize_t>(request.size())) continue;
      return sent >= 0 || errno == EAGAIN;  // a request cut off is as good as any
    }
    return true;
  }
  if (peer.sent == 0) {
    peer.sent = request.size();
    return send(peer.socket, request.data(), request.size(), MSG_NOSIGNAL | MSG_DONTWAIT) > 0;
  }
  char byte = 'x';
  if (recv(peer.socket, &byte, 1, MSG_DONTWAIT) == 0) return false;
  return send(peer.socket, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) > 0 || errno == EAGAIN;
}

void SlowPeers::Run() {
  for (size_t i = 0; i < peers_.size() && !stopping_; ++i) {
    Open(i);
    GoOn(peers_[i]);
  }
  opened_ = true;
  for (size_t slice = 0; !stopping_; slice = (slice + 1) % kSlices) {
    for (size_t i = slice; i < peers_.size(); i += kSlices) {
      if (GoOn(peers_[i])) continue;
      ++ended_;
      Open(i);
      GoOn(peers_[i]);
    }
    absl::SleepFor(kRound / kSlices);
  }
}

}  // namespace aulm::gateway
