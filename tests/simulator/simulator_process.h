#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tests/simulator/control_client.h"

namespace aulm::simulator {

// A simulator of a test's own: a child process on free ports, steered by control(). Ends with its destructor, and by
// itself when the test's process dies. Not thread-safe, but for control().
class SimulatorProcess {
 public:
  // Starts `aulm-simulator` with these further arguments (`--echo`, `--status-delay-ms=1`) and waits until it serves.
  // The program is found in $AULM_GATEWAY_BIN, which gateway_test() sets, else beside the test's own executable.
  // kUnavailable when it cannot be started or ends at once; its own words are on standard error.
  static absl::StatusOr<std::unique_ptr<SimulatorProcess>> Start(std::vector<std::string> arguments = {});

  // Kills the child and waits for its end.
  ~SimulatorProcess();

  SimulatorProcess(const SimulatorProcess&) = delete;
  SimulatorProcess& operator=(const SimulatorProcess&) = delete;

  // `127.0.0.1:41234`, where the API is served.
  const std::string& address() const { return address_; }
  // `http://127.0.0.1:41234`, or `https://…` when it was given a certificate.
  std::string base_url() const;
  const ControlClient& control() const { return *control_; }
  pid_t pid() const { return pid_; }

  // Ends it by SIGTERM and returns its exit status; -1 when a signal ended it. Once only.
  int Terminate();

 private:
  SimulatorProcess(pid_t pid, int stdin_fd, int stdout_fd) : pid_(pid), stdin_fd_(stdin_fd), stdout_fd_(stdout_fd) {}
  absl::Status ReadAddresses();

  pid_t pid_;  // 0 once it has been waited for
  const int stdin_fd_;
  const int stdout_fd_;
  bool tls_ = false;
  std::string address_;
  std::unique_ptr<ControlClient> control_;
};

// Built-in keys, sessions and the secret, as README.md lists them.
inline constexpr char kLiveKey[] = "alm_sk_live_simulator";
inline constexpr char kTestKey[] = "alm_sk_test_simulator";
inline constexpr char kWebhookSecret[] = "whsec_simulator";
inline constexpr char kConnectedSession[] = "00000000-0000-4000-8000-000000000001";
inline constexpr char kDisconnectedSession[] = "00000000-0000-4000-8000-000000000002";
inline constexpr char kAwaitingScanSession[] = "00000000-0000-4000-8000-000000000003";
inline constexpr char kDisabledSession[] = "00000000-0000-4000-8000-000000000004";
inline constexpr char kNotAllowedSession[] = "00000000-0000-4000-8000-000000000005";
inline constexpr char kUnknownSession[] = "00000000-0000-4000-8000-000000000404";

}  // namespace aulm::simulator
