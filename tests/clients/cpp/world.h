#pragma once

#include <boost/json/value.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/simulator/simulator_process.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway::conformance {

// How long a step waits.
inline constexpr absl::Duration kLimit = absl::Seconds(20);

// The simulator and the real gateway around one case, each a process of its own: see tests/clients/conformance. What
// goes wrong here is a failure of the running test.
class World {
 public:
  explicit World(const std::vector<std::string>& simulator_arguments);
  ~World();

  const std::string& folder() const { return folder_; }
  const std::string& grpc_address() const { return grpc_; }
  simulator::SimulatorProcess& aulm() { return *aulm_; }
  ChildProcess& gateway() { return gateway_->process(); }

  // On the ports of the first start.
  void StartGateway();
  // The same, with a new and empty store.
  void StartGatewayEmpty();
  void KillGateway();
  // SIGTERM: must end with status 0.
  void TerminateGateway();

  // A call of the control API that must work: its answer.
  boost::json::value Control(const std::string& method, const std::string& path,
                             const boost::json::value& body = nullptr) const;
  // Has a webhook sent, and waits until it was answered 2xx.
  void Deliver(const std::string& path, const boost::json::value& body) const;

 private:
  std::string folder_;
  std::unique_ptr<simulator::SimulatorProcess> aulm_;
  std::optional<GatewayProcess> gateway_;
  std::string grpc_ = "127.0.0.1:0", webhook_ = grpc_, admin_ = grpc_;
  int stores_ = 0;
};

// Looks at what another process does, until `look` returns true. False after kLimit.
bool AwaitOther(const std::function<bool()>& look);

}  // namespace aulm::gateway::conformance
