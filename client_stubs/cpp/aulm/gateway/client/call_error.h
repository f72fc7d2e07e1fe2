#pragma once

#include <map>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "grpcpp/support/status.h"

namespace aulm::gateway::client {

// What became of a send that failed.
enum class Outcome {
  kNone,     // not told: no send, or an error from a broken connection or a proxy
  kNotSent,  // aulm did not take the message: a repeat is safe
  kUnknown,  // nobody can know: a repeat may send the message twice
};

// A failed call as a value: everything that the gateway put into the status and its details
// (grpc-status-details-bin), decoded once. A plain copyable value.
struct CallError {
  // One complaint, as the standard details list them.
  struct Violation {
    // The field ("to", "filter.types[2]"), the precondition's subject ("session:…") or the quota's ("account:…").
    std::string subject;
    // What is wrong and how it is mended.
    std::string description;
  };

  grpc::StatusCode code = grpc::StatusCode::OK;
  // For developers, in English.
  std::string message;
  // UPPER_SNAKE: aulm's error code (domain "aulm.io") or the gateway's own (domain "aulm-gateway"). Both empty when the
  // error came without details, from a broken connection or a proxy.
  std::string reason;
  std::string domain;
  Outcome outcome = Outcome::kNone;
  // Wait at least this long before a repeat.
  std::optional<absl::Duration> retry_after;
  // The account's quota, where aulm told it.
  std::optional<v1::RateLimit> quota;
  // The send's request id: the caller's, or the one that the gateway made. Empty on reads.
  std::string request_id;
  // aulm's x-request-id: quote it to aulm's support. Empty when aulm was not asked.
  std::string aulm_request_id;
  // Which fields of the request are wrong.
  std::vector<Violation> field_violations;
  // What must be put right before the call can work.
  std::vector<Violation> precondition_violations;
  // Which quota ran out.
  std::vector<Violation> quota_violations;
  // What the error says of the session or subscription it is about; empty when nothing.
  std::string resource_description;
  // With CURSOR_EXPIRED: the cursor where the log now starts. Raw bytes, ready for after_cursor.
  std::string earliest_cursor;
  // ErrorInfo's metadata, whole: also what this version has no field for.
  std::map<std::string, std::string> metadata;

  // True when the gateway itself answered, and not a broken connection or a proxy.
  bool from_gateway() const { return !reason.empty(); }
};

// "UNAVAILABLE BREAKER_OPEN: aulm cannot be reached …", for a log.
std::ostream& operator<<(std::ostream& out, const CallError& error);

// The error as a status of the same code, for callers that pass statuses on.
absl::Status ToStatus(const CallError& error);

// Decodes a failed call's status. Details that cannot be read are left out, never an error of their own.
CallError ToCallError(const grpc::Status& status);

// The error of a call that the client itself did not make, so that nothing was sent: kNotSent.
CallError NotMade(grpc::StatusCode code, std::string message);

// What a send's error means for repeating it: `error.outcome` where the gateway told it. An error without details is
// kNotSent where its code shows that nobody took the call (UNIMPLEMENTED, UNAUTHENTICATED, PERMISSION_DENIED), and
// otherwise kUnknown: the connection may have broken after the gateway got the send.
Outcome SendOutcome(const CallError& error);

// True for what the same call, repeated, may well not meet again.
bool MayPass(grpc::StatusCode code);

// The error of following a durable subscription in the way of the other mode: what it is, and what to `use`.
CallError WrongMode(const std::string& subscription, const std::string& mode, const std::string& use);

// "NOT_FOUND" and the like; "CODE_17" for a number that gRPC does not define.
std::string CodeName(grpc::StatusCode code);

}  // namespace aulm::gateway::client
