#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>
#include <vector>

namespace aulm::gateway {

// What a slow peer is slow at.
enum class Slowness {
  kHeaders,  // a byte of a header each second
  kBodies,   // a byte of a body each second
  kReading,  // asks for more and more, and reads nothing
};

// Connections that only cost: `count` of them are held open to `address`, each slow in the same way, from a few
// addresses of the loopback network; one that the server ends is opened again. A thread of its own drives them.
class SlowPeers {
 public:
  SlowPeers(Slowness slowness, size_t count, std::string address);
  ~SlowPeers();

  // Waits until every connection has been opened once.
  void AwaitOpen() const;

  // Connections that the server has ended so far.
  uint64_t ended() const { return ended_; }

 private:
  struct Peer {
    int socket = -1;
    size_t sent = 0;
  };

  void Run();
  void Open(size_t index);
  // Goes on with one peer; false when the server has ended it.
  bool GoOn(Peer& peer) const;

  const Slowness slowness_;
  const std::string address_;
  std::vector<Peer> peers_;
  std::atomic<uint64_t> ended_ = 0;
  std::atomic<bool> opened_ = false;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace aulm::gateway
