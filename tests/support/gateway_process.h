#pragma once

#include <map>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "tests/support/child_process.h"

namespace aulm::gateway {

// The real gateway as a program of its own, on free ports of the loopback interface. Killed when this goes away.
class GatewayProcess {
 public:
  struct Options {
    std::string folder;                                // holds the store and the log file; must exist
    std::string aulm_base_url = "http://127.0.0.1:9";  // nobody listens there
    std::string api_key = "alm_sk_test_gateway_process";
    std::string webhook_secret = "whsec_test";
    std::map<std::string, std::string> environment;  // further variables, or others instead of ours
  };

  // Starts it and waits until it is ready. Errors: what it printed instead, DEADLINE_EXCEEDED after 30 s.
  static absl::StatusOr<GatewayProcess> Start(const Options& options);

  const std::string& grpc_address() const { return grpc_; }        // host:port
  const std::string& webhook_address() const { return webhook_; }  // host:port
  const std::string& admin_address() const { return admin_; }      // host:port
  ChildProcess& process() { return process_; }

 private:
  explicit GatewayProcess(ChildProcess process) : process_(std::move(process)) {}

  ChildProcess process_;
  std::string grpc_;
  std::string webhook_;
  std::string admin_;
};

}  // namespace aulm::gateway
