#pragma once

#include <sys/epoll.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <vector>

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
  void Watch(int socket, uint32_t events);
  // Watches it no longer. One that Opened told of stays in epoll until it has something to say: when it is watched
  // again soon for the same events, as connections are, that costs no system call.
  void Park(int socket);
  // The socket is new, and Closed will tell when it is closed.
  void Opened(int socket);
  // The socket is about to be closed; its number may come back as another's.
  void Closed(int socket);

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
  // What epoll knows of a socket.
  struct Registration {
    uint32_t events = 0;  // 0: nothing
    bool parked = false;
    bool end_is_told = false;  // Closed will be called
  };

  Registration& At(int socket);

  const int epoll_;
  const int wake_;
  std::vector<Registration> registrations_;  // by socket
  std::atomic<bool> asleep_{false};
  std::array<epoll_event, 256> ready_;
};

}  // namespace aulm::gateway
