#pragma once

#include <functional>
#include <thread>

namespace aulm::gateway::ctl {

// Calls back at the first SIGINT or SIGTERM, so that a command can end cleanly; a second one ends the process. Made
// before the process has any other thread, since threads inherit that these signals wait for this one.
class StopSignals {
 public:
  StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  ~StopSignals();

  // Starts to listen; `stop` is called at most once, on a thread of its own. A signal that came before counts.
  void Listen(std::function<void()> stop);

 private:
  void Wait(const std::function<void()>& stop) const;

  int signals_;  // a signalfd
  int closing_;  // an eventfd
  std::thread thread_;
};

}  // namespace aulm::gateway::ctl
