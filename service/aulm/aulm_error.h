#pragma once

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/aulm/aulm_metrics.h"
#include "service/aulm/http_transport.h"

// The only place where what aulm answers, or that it does not answer, becomes an absl::Status. The statuses carry the
// details of service/base/status_details.h and, where aulm sent x-ratelimit-*, an aulm.gateway.v1.RateLimit. Messages
// name the operation and what to do; phone numbers and keys in aulm's own words are masked. Thread-safe.
//
// See service/adr/0004-error-mapping.md for why the mapping is as it is.
namespace aulm::gateway {

// The call that failed, for messages and details.
struct AulmCall {
  AulmEndpoint endpoint = AulmEndpoint::kSendText;
  absl::string_view account;
  absl::string_view session_id;

  bool is_send() const { return endpoint != AulmEndpoint::kSessionStatus; }
};

// An answer that is not 2xx. `now` is for Retry-After dates and quota resets.
absl::Status ErrorOfAnswer(const HttpResponse& response, const AulmCall& call, absl::Time now);

// An answer of 2xx that cannot be read: UNEXPECTED_RESPONSE; of a send UNKNOWN, outcome unknown.
absl::Status UnreadableAnswer(const HttpResponse& response, const AulmCall& call);

// No answer at all: CONNECT_FAILED, SEND_OUTCOME_UNKNOWN, CALL_DEADLINE, CALL_CANCELLED, DRAINING.
absl::Status ErrorOfFailure(const HttpFailure& failure, const AulmCall& call);

// What the caller of a detached send is told: outcome unknown, CALL_DEADLINE or, when it went away itself,
// CALL_CANCELLED.
absl::Status DetachedError(const AulmCall& call, bool deadline_passed);

}  // namespace aulm::gateway
