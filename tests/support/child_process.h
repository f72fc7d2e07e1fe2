#pragma once

#include <sys/types.h>

#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// A program that a test started: its standard output is read line by line, its standard error goes to a file. Killed
// by its process id when this goes away. Not thread-safe.
class ChildProcess {
 public:
  // `environment` is the whole environment of the child, PATH aside. `stderr_path` empty means the test's own.
  static absl::StatusOr<ChildProcess> Start(const std::vector<std::string>& command,
                                            const std::map<std::string, std::string>& environment,
                                            const std::string& stderr_path = "");

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ~ChildProcess();

  pid_t pid() const { return pid_; }

  // The next line of standard output without its end. Errors: OUT_OF_RANGE at the end of output, DEADLINE_EXCEEDED.
  absl::StatusOr<std::string> ReadLine(absl::Duration timeout);

  // Sends a signal (SIGTERM, SIGKILL …); after SIGSTOP, returns when nothing of it runs any more.
  void Signal(int signal) const;

  // Waits for the end: the exit status, or 128 + the signal that ended it. Error: DEADLINE_EXCEEDED.
  absl::StatusOr<int> Wait(absl::Duration timeout);

 private:
  ChildProcess(pid_t pid, int output) : pid_(pid), output_(output) {}
  void Reap();

  pid_t pid_ = -1;
  int output_ = -1;
  int exit_status_ = -1;
  std::string unread_;
};

// The folder of the built programs: the test runner's AULM_GATEWAY_BIN.
std::string BinaryPath(absl::string_view program);

}  // namespace aulm::gateway
