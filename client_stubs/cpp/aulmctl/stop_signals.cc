#include "client_stubs/cpp/aulmctl/stop_signals.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

namespace aulm::gateway::ctl {
namespace {

sigset_t StopSet() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  return set;
}

}  // namespace

StopSignals::StopSignals() {
  const sigset_t set = StopSet();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  signals_ = signalfd(-1, &set, SFD_CLOEXEC);
  closing_ = eventfd(0, EFD_CLOEXEC);
}

StopSignals::~StopSignals() {
  if (thread_.joinable()) {
    eventfd_write(closing_, 1);
    thread_.join();
  }
  close(closing_);
  close(signals_);
}

void StopSignals::Listen(std::function<void()> stop) {
  thread_ = std::thread([this, stop = std::move(stop)] { Wait(stop); });
}

void StopSignals::Wait(const std::function<void()>& stop) const {
  pollfd watched[] = {{signals_, POLLIN, 0}, {closing_, POLLIN, 0}};
  while (poll(watched, 2, -1) < 0 && errno == EINTR) {
  }
  signalfd_siginfo info;
  if ((watched[0].revents & POLLIN) == 0 || read(signals_, &info, sizeof(info)) != sizeof(info)) return;
  stop();
  // From here on a signal finds this thread, and does what it does by default.
  const sigset_t set = StopSet();
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
  poll(&watched[1], 1, -1);
}

}  // namespace aulm::gateway::ctl
