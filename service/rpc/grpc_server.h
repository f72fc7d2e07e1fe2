#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "grpcpp/security/server_credentials.h"
#include "grpcpp/server.h"
#include "service/rpc/rpc_metrics.h"

namespace aulm::gateway {

struct GrpcServerOptions {
  std::string address;  // host:port; port 0 means any free port
  std::shared_ptr<grpc::ServerCredentials> credentials;
  bool reflection = true;
  bool channelz = false;
  size_t memory_bytes = 512 << 20;                        // what gRPC may use for connections and messages
  size_t threads = 32;                                    // what gRPC may make for its own services
  size_t calls_per_connection = 1000;                     // open at once
  size_t header_list_bytes = 8192;                        // a call's metadata, in all
  absl::Duration keepalive_interval = absl::Seconds(30);  // a quiet connection is pinged, so that a vanished peer's
                                                          // streams end
  absl::Duration keepalive_timeout = absl::Seconds(10);   // and closed when that is not answered
  absl::Duration min_ping_interval = absl::Seconds(10);   // a caller that pings more often is told to calm down
};

// A service and its full name, "aulm.gateway.v1.EventService": gRPC 1.51 does not tell it.
struct NamedService {
  std::string name;
  grpc::Service* service;
};

// The gRPC listener: limits, keepalive, health, reflection and channelz around the services it is given. Health says
// NOT_SERVING for every service until SetServing(true).
class GrpcServer {
 public:
  // Binds and starts. The services outlive the server. Error: UNAVAILABLE naming the address when it cannot be bound.
  static absl::StatusOr<std::unique_ptr<GrpcServer>> Start(const GrpcServerOptions& options,
                                                           std::vector<NamedService> services);

  // Shuts down at once when Shutdown was not called.
  ~GrpcServer();

  // "host:port" with the port that was bound.
  const std::string& address() const { return address_; }

  // What the standard health service answers from now on, for "" and every service.
  void SetServing(bool serving);

  // Takes no further calls, waits for those under way, cancels them after `grace`, then waits for them to end. Blocks.
  // `calls` counts what is under way: when nothing is, connections are given a moment to go and then closed. By itself
  // gRPC waits the whole grace for clients that do not answer its GOAWAY.
  void Shutdown(absl::Duration grace, const RpcMetrics& calls);

 private:
  GrpcServer() = default;

  std::string address_;
  std::vector<NamedService> services_;
  std::unique_ptr<grpc::Server> server_;
  bool shut_down_ = false;
};

}  // namespace aulm::gateway
