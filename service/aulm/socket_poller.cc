#include "service/aulm/socket_poller.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

namespace aulm::gateway {

SocketPoller::SocketPoller() : epoll_(epoll_create1(EPOLL_CLOEXEC)), wake_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (epoll_ < 0 || wake_ < 0) abort();  // at the start of a process there are descriptors
  Watch(wake_, EPOLLIN, /*is_new=*/true);
}

SocketPoller::~SocketPoller() {
  close(wake_);
  close(epoll_);
}

void SocketPoller::Watch(int socket, uint32_t events, bool is_new) {
  epoll_event event{};
  event.events = events;
  event.data.fd = socket;
  if (epoll_ctl(epoll_, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, socket, &event) == 0) return;
  // A socket's number is used again as soon as it is closed: what we believe may be out of date.
  if (errno == EEXIST) epoll_ctl(epoll_, EPOLL_CTL_MOD, socket, &event);
  if (errno == ENOENT) epoll_ctl(epoll_, EPOLL_CTL_ADD, socket, &event);
}

void SocketPoller::Forget(int socket) {
  epoll_event unused{};
  epoll_ctl(epoll_, EPOLL_CTL_DEL, socket, &unused);
}

absl::Span<const epoll_event> SocketPoller::Wait(int timeout_ms) {
  int count = epoll_wait(epoll_, ready_.data(), static_cast<int>(ready_.size()), timeout_ms);
  asleep_.store(false);
  if (count < 0) return {};  // EINTR
  for (int i = 0; i < count; ++i) {
    if (ready_[i].data.fd != wake_) continue;
    uint64_t ignored;
    [[maybe_unused]] const ssize_t got = read(wake_, &ignored, sizeof(ignored));
    ready_[i] = ready_[--count];
    break;
  }
  return {ready_.data(), static_cast<size_t>(count)};
}

void SocketPoller::Wake() {
  if (!asleep_.load() || !asleep_.exchange(false)) return;
  const uint64_t one = 1;
  [[maybe_unused]] const ssize_t put = write(wake_, &one, sizeof(one));
}

}  // namespace aulm::gateway
