#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>

#include "absl/types/span.h"

namespace aulm::gateway {

// epoll and an eventfd for one thread that waits for sockets and can be woken by others. Waking costs a system call
// only while the thread sleeps. All but Wake is for the waiting thread alone.
class SocketPoller {
 public:
  SocketPoller();
  ~SocketPoller();

  SocketPoller(const SocketPoller&) = delete;
  SocketPoller& operator=(const SocketPoller&) = delete;

  // Watches the socket for EPOLLIN and EPOLLOUT as given, in place of what was watched before.
  void Watch(int socket, uint32_t events, bool is_new);
  // The socket may be closed already.
  void Forget(int socket);

  // From here on Wake ends the next Wait. Call it before the last look at what Wake tells of.
  void AboutToSleep() { asleep_.store(true); }
  // The last look found something: Wake need not wake.
  void StayAwake() { asleep_.store(false); }

  // Waits at most so long (-1: for ever, 0: not at all) and gives what is ready, without the wake-up itself. Valid
  // until the next call.
  absl::Span<const epoll_event> Wait(int timeout_ms);

  // Ends the Wait that is under way or about to begin. Thread-safe.
  void Wake();

 private:
  const int epoll_;
  const int wake_;
  std::atomic<bool> asleep_{false};
  std::array<epoll_event, 256> ready_;
};

}  // namespace aulm::gateway
