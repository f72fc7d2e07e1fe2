#include "service/aulm/socket_poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdlib>

namespace aulm::gateway {

SocketPoller::SocketPoller() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_ < 0 || wake_ < 0) abort();  // at the start of a process there are descriptors
  Watch(wake_, EPOLLIN);
}

SocketPoller::~SocketPoller() {
  close(wake_);
  close(epoll_);
}

SocketPoller::Registration& SocketPoller::At(int socket) {
  const auto index = static_cast<size_t>(socket);
  if (index >= registrations_.size()) registrations_.resize(index + 64);
  return registrations_[index];
}

void SocketPoller::Watch(int socket, uint32_t events) {
  Registration& known = At(socket);
  known.parked = false;
  if (known.events == events) return;
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  epoll_ctl(epoll_, known.events == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event);
  known.events = events;
}

void SocketPoller::Park(int socket) {
  Registration& known = At(socket);
  if (known.end_is_told) {
    known.parked = true;
    return;
  }
  epoll_event unused{};
  epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, &unused);
  known = Registration();
}

void SocketPoller::Opened(int socket) { At(socket) = Registration{0, false, true}; }

void SocketPoller::Closed(int socket) { At(socket) = Registration(); }

absl::Span<const epoll_event> SocketPoller::Wait(int timeout_ms) {
  const int count = epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), timeout_ms);
  asleep_.store(false);
  size_t kept = 0;
  for (int i = 0; i < count; ++i) {  // none when interrupted (-1)
    const epoll_event event = ready_[i];
    Registration& known = At(event.data.fd);
    if (event.data.fd == wake_) {
      uint64_t ignored;
      [[maybe_unused]] const ssize_t got = read(wake_, &ignored, sizeof(ignored));
    } else if (known.parked) {
      // An idle connection that its peer closes, in general. Nobody asks for it now, and it would be ready for ever.
      epoll_event unused{};
      epoll_ctl(epoll_, EPOLL_CTL_DEL, event.data.fd, &unused);
      known.events = 0;
    } else {
      ready_[kept++] = event;
    }
  }
  return {ready_.data(), kept};
}

void SocketPoller::Wake() {
  if (!asleep_.load() || !asleep_.exchange(false)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(wake_, &one, sizeof(one));
}

}  // namespace aulm::gateway
