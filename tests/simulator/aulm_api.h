#pragma once

#include <cstddef>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "tests/simulator/account_table.h"
#include "tests/simulator/api_key_ring.h"
#include "tests/simulator/auth_throttle.h"
#include "tests/simulator/fault_plan.h"
#include "tests/simulator/follow_up.h"
#include "tests/simulator/http_message.h"
#include "tests/simulator/request_log.h"
#include "tests/simulator/seeded_faults.h"
#include "tests/simulator/session_table.h"

namespace aulm::simulator {

// The three endpoints under /v1 as the aulm API page describes them: a request goes through its fault, authentication,
// validation, session, quota and the recipient, and comes out as an answer. Not thread-safe; never blocks.
class AulmApi {
 public:
  struct Settings {
    size_t max_image_bytes = size_t{5} << 20;
    absl::Duration slow = absl::Seconds(2);                  // the magic number's delay
    absl::Duration overload_retry_after = absl::Seconds(2);  // Retry-After of service_unavailable
    bool fast = false;                                       // for benchmarks: nothing recorded, nothing follows
  };

  // What the API works on; everything must outlive it.
  struct State {
    ApiKeyRing& keys;
    SessionTable& sessions;
    AccountTable& accounts;
    AuthThrottle& throttle;
    FaultPlan& plan;
    SeededFaults& dice;
    RequestLog& log;
    FollowUp& follow_up;
  };

  AulmApi(State state, Settings settings) : state_(state), settings_(settings) {}

  // A request whose path begins with /v1/. Records it, unless in fast mode.
  HttpAnswer Answer(const HttpRequest& request);

  // See HttpApplication::DropUnread.
  bool DropUnread(absl::string_view method, absl::string_view path);

 private:
  // One request on its way through, with what is known of it so far.
  struct Exchange;

  HttpAnswer Process(Exchange& exchange);
  HttpAnswer Send(Exchange& exchange, SendRequest::Kind kind);
  HttpAnswer Accept(Exchange& exchange, const SendRequest& send, const MagicNumber* magic);
  HttpAnswer Status(Exchange& exchange, absl::string_view session_id);
  HttpAnswer Error(const Exchange& exchange, absl::string_view code, absl::string_view message = "",
                   absl::string_view retry_after = "");
  HttpAnswer Replacement(const Exchange& exchange, const Fault& fault);
  // Empty when the request may go on; sets the exchange's account and key.
  absl::string_view Authenticate(Exchange& exchange);
  // Empty when the session may be used by this account.
  static absl::string_view SessionError(const Session* session);

  void AddRateLimit(HttpAnswer& answer, const Quota::Reading& reading);

  State state_;
  const Settings settings_;
  absl::Time last_reset_;  // the reset that was written last, and how: formatting it costs more than the rest
  std::string last_reset_text_;
};

}  // namespace aulm::simulator
