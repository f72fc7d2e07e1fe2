#pragma once

#include <boost/asio/io_context.hpp>
#include <boost/asio/ssl/context.hpp>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/account_table.h"
#include "tests/simulator/api_key_ring.h"
#include "tests/simulator/aulm_api.h"
#include "tests/simulator/auth_throttle.h"
#include "tests/simulator/blast.h"
#include "tests/simulator/control_api.h"
#include "tests/simulator/fault_plan.h"
#include "tests/simulator/follow_up.h"
#include "tests/simulator/http_server.h"
#include "tests/simulator/options.h"
#include "tests/simulator/request_log.h"
#include "tests/simulator/scheduler.h"
#include "tests/simulator/seeded_faults.h"
#include "tests/simulator/session_table.h"

namespace aulm::simulator {

// The whole simulator on one io_context and one thread: builds every part from the options, listens, and sends each
// request to the API or to the control API. The only place that knows how the parts fit together.
class Simulator final : public HttpApplication {
 public:
  // Builds and listens; serves once `io` runs. `io` must outlive the simulator. Errors say which option is no good.
  static absl::StatusOr<std::unique_ptr<Simulator>> Start(boost::asio::io_context& io, const Options& options);

  // Where the API is served, and the control API apart from it when that was asked for (else empty).
  const std::string& address() const { return server_->address(); }
  std::string control_address() const { return control_server_ == nullptr ? "" : control_server_->address(); }

  HttpAnswer Answer(const HttpRequest& request) override;
  bool DropUnread(absl::string_view method, absl::string_view target) override;

 private:
  Simulator(boost::asio::io_context& io, const Options& options);
  absl::Status Configure(const Options& options);
  absl::Status Listen(const Options& options);
  Account MakeAccount(std::string name);

  boost::asio::io_context& io_;
  boost::asio::ssl::context webhook_tls_;
  const Options options_;
  Scheduler scheduler_;
  SeededFaults dice_;
  ApiKeyRing keys_;
  SessionTable sessions_;
  AccountTable accounts_;
  AuthThrottle throttle_;
  FaultPlan plan_;
  RequestLog log_;
  FollowUp follow_up_;
  AulmApi api_;
  Blast blast_;
  ControlApi control_;
  std::unique_ptr<HttpServer> server_;
  std::unique_ptr<HttpServer> control_server_;
};

}  // namespace aulm::simulator
