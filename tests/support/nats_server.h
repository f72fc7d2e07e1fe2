#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tests/support/child_process.h"
#include "tests/support/tcp_proxy.h"

namespace aulm::gateway {

// A real nats-server with JetStream, on free ports of the loopback interface, with a folder of its own. It can be
// killed and started again on the same ports over the same folder. Killed when this goes away. Not thread-safe.
class NatsServer {
 public:
  struct Options {
    std::string folder;         // holds its configuration, its log and its streams; must exist
    std::string name = "nats";  // unique in a cluster
    int cluster_port = 0;       // of this server; 0: no cluster
    std::vector<int> routes{};  // ports that it connects to for the others of its cluster
    std::string more = {};      // further lines of its configuration
    std::string program = {};   // empty: AULM_GATEWAY_NATS_SERVER, else the one that is installed
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

// Three servers that keep three copies of each stream, and hear of each other through proxies alone. Of the program
// AULM_GATEWAY_NATS_CLUSTER where that is set: Debian 12's (2.9.10) lets copies drift apart when a leader is cut off.
class NatsCluster {
 public:
  // `folder` must exist.
  static absl::StatusOr<std::unique_ptr<NatsCluster>> Start(const std::string& folder);

  // Parts a server from the other two, and brings it back. Its clients stay with it.
  void CutOff(int index);
  void Heal(int index);

  NatsServer& server(int index) { return *servers_.at(static_cast<size_t>(index)); }
  // nats://a,b,c
  std::string url() const;

 private:
  // Between two servers there is one connection, which the later one makes.
  struct Route {
    int later, earlier;
    std::unique_ptr<TcpProxy> proxy;
  };
  std::vector<Route> routes_;
  std::vector<std::unique_ptr<NatsServer>> servers_;
};

}  // namespace aulm::gateway
