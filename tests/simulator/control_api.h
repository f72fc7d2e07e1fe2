#pragma once

#include <boost/json/fwd.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/account_table.h"
#include "tests/simulator/api_key_ring.h"
#include "tests/simulator/auth_throttle.h"
#include "tests/simulator/blast.h"
#include "tests/simulator/control_webhooks.h"
#include "tests/simulator/fault_plan.h"
#include "tests/simulator/http_message.h"
#include "tests/simulator/request_log.h"
#include "tests/simulator/seeded_faults.h"
#include "tests/simulator/session_table.h"

namespace aulm::simulator {

// The control API under /_simulator, which is no part of aulm: reads and changes what the simulator does while it runs.
// JSON in, JSON out; bad input is 400 `{"error": "…"}` naming the field. README.md lists every call. Never blocks.
class ControlApi {
 public:
  // What it works on; everything must outlive it.
  struct State {
    ApiKeyRing& keys;
    SessionTable& sessions;
    AccountTable& accounts;
    AuthThrottle& throttle;
    FaultPlan& plan;
    SeededFaults& dice;
    RequestLog& log;
    Blast& blast;
  };

  explicit ControlApi(State state) : state_(state), webhooks_(state.accounts, state.blast) {}

  // A request whose path begins with /_simulator.
  HttpAnswer Answer(const HttpRequest& request);

 private:
  using Result = absl::StatusOr<boost::json::value>;

  Result Dispatch(absl::string_view method, absl::string_view path, const HttpRequest& request,
                  const boost::json::value& body);
  Result AddFaults(const boost::json::value& body);
  Result ListFaults() const;
  Result ListRequests(const HttpRequest& request) const;
  Result PutSession(const boost::json::value& body);
  Result ListSessions() const;
  Result PutKey(const boost::json::value& body);
  Result PutQuota(const boost::json::value& body);
  Result PutSeededFaults(const boost::json::value& body);
  Result Reset();

  State state_;
  ControlWebhooks webhooks_;
};

}  // namespace aulm::simulator
