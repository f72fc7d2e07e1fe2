#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

namespace aulm::gateway {

// Stands between a client and a server on the loopback interface, and can cut them off: then nothing goes through,
// neither on connections that are there nor on new ones, as in a network that is parted. Healed, those that were there
// break, and new ones go through. Thread-safe.
class TcpProxy {
 public:
  // Leads to `target_port`.
  explicit TcpProxy(int target_port);
  ~TcpProxy();

  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  int port() const { return port_; }
  void Cut() { cut_ = true; }
  void Heal() { cut_ = false; }
  // Once so many more bytes have gone to a client, its connection breaks.
  void BreakAfter(int64_t bytes) { left_ = bytes; }

 private:
  struct Pair {
    int client, server;
  };

  void Run();
  void Accept();
  static bool Forward(int from, int to, std::atomic<int64_t>* left);

  const int target_port_;
  int listener_ = -1;
  int port_ = 0;
  std::atomic<bool> stop_{false};
  std::atomic<bool> cut_{false};
  std::atomic<int64_t> left_{-1};  // -1: no end
  std::vector<Pair> pairs_;        // of the thread
  std::thread thread_;
};

}  // namespace aulm::gateway
