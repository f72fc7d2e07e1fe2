#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <functional>
#include <map>

#include "absl/time/time.h"

namespace aulm::simulator {

// Calls back later, on the io_context's thread: one timer for any number of waiting callbacks. Callbacks that are due
// at the same instant run in the order they were added. Not thread-safe; callbacks that still wait when it is destroyed
// never run.
class Scheduler {
 public:
  explicit Scheduler(boost::asio::io_context& io) : timer_(io) {}

  void After(absl::Duration delay, std::function<void()> callback);

 private:
  using Clock = std::chrono::steady_clock;

  void Arm();
  void RunDue();

  boost::asio::steady_timer timer_;
  std::multimap<Clock::time_point, std::function<void()>> waiting_;
};

}  // namespace aulm::simulator
