#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/support/child_process.h"

namespace aulm::gateway {

// A real nats-server with JetStream, on free ports of the loopback interface, with a folder of its own. It can be
// killed and started again on the same ports over the same folder. Killed when this goes away. Not thread-safe.
class NatsServer {
 public:
  struct Options {
    std::string folder;                // holds its configuration, its log and its streams; must exist
    std::string name = "nats";         // unique in a cluster
    int cluster_port = 0;              // of this server; 0: no cluster
    std::vector<int> cluster_ports{};  // of all servers of the cluster
    std::string more = {};             // further lines of its configuration
  };

  // Starts it and waits until it takes connections. Errors: what it said, DEADLINE_EXCEEDED.
  static absl::StatusOr<std::unique_ptr<NatsServer>> Start(Options options);

  NatsServer(const NatsServer&) = delete;
  NatsServer& operator=(const NatsServer&) = delete;

  // 127.0.0.1:<port>, without a scheme.
  const std::string& address() const { return address_; }

  pid_t pid() const { return process_->pid(); }

  void Signal(int signal) const { process_->Signal(signal); }

  // SIGKILL, and waits for the end.
  void Kill();

  // After Kill.
  absl::Status Restart();

 private:
  explicit NatsServer(Options options) : options_(std::move(options)) {}

  absl::Status Run();

  const Options options_;
  std::string address_;
  std::optional<ChildProcess> process_;
};

// Ports that are free just now.
std::vector<int> FreePorts(int count);

// Three servers that keep three copies of each stream.
class NatsCluster {
 public:
  // `folder` must exist.
  static absl::StatusOr<std::unique_ptr<NatsCluster>> Start(const std::string& folder);

  NatsServer& server(int index) { return *servers_.at(static_cast<size_t>(index)); }
  // nats://a,b,c
  std::string url() const;

 private:
  std::vector<std::unique_ptr<NatsServer>> servers_;
};

}  // namespace aulm::gateway
