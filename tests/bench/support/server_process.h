#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace aulm::gateway {

// A program that a benchmark measures: started until it says "listening <what> <address>", killed when this goes away.
// Exits the benchmark when that fails.
class ServerProcess {
 public:
  explicit ServerProcess(const std::vector<std::string>& command);

  const std::string& address() const { return address_; }
  pid_t pid() const { return child_.pid(); }

 private:
  ChildProcess child_;
  std::string address_;
};

// User and system time that a process has used so far.
absl::Duration CpuOf(pid_t pid);
// Its resident memory.
int64_t ResidentBytesOf(pid_t pid);

double Median(std::vector<double> values);

}  // namespace aulm::gateway
