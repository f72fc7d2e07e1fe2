#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace google::protobuf {
class MessageLite;
}

// The error details of an absl::Status: payloads that hold the serialized google.rpc messages, keyed by their type URLs
// ("type.googleapis.com/google.rpc.ErrorInfo"), so that `rpc` can put them into grpc-status-details-bin as they are.
// Every error that reaches a caller is made here: the gateway's own by GatewayError and FieldViolations, aulm's by
// service/aulm/aulm_error. All functions are thread-safe for distinct statuses and never block.
namespace aulm::gateway {

inline constexpr absl::string_view kAulmDomain = "aulm.io";
inline constexpr absl::string_view kGatewayDomain = "aulm-gateway";

// Message and details of one status together stay within this, so that the trailing metadata stays far below 8 KB.
inline constexpr size_t kMaxDetailBytes = 2048;

// The gateway's own reasons. Each has one gRPC code (see GatewayError).
enum class GatewayReason {
  kConnectFailed,         // CONNECT_FAILED         UNAVAILABLE          never connected to aulm: not sent
  kSendOutcomeUnknown,    // SEND_OUTCOME_UNKNOWN   UNKNOWN              broken after the request was written
  kCallDeadline,          // CALL_DEADLINE          DEADLINE_EXCEEDED
  kCallCancelled,         // CALL_CANCELLED         CANCELLED            the caller went away; nobody reads this one
  kUnexpectedResponse,    // UNEXPECTED_RESPONSE    UNKNOWN              aulm's answer cannot be read
  kAccountSuspended,      // ACCOUNT_SUSPENDED      FAILED_PRECONDITION  aulm refused the account's key
  kPaced,                 // PACED                  RESOURCE_EXHAUSTED   with RetryInfo
  kOverloaded,            // OVERLOADED             RESOURCE_EXHAUSTED   with RetryInfo
  kRequestInFlight,       // REQUEST_IN_FLIGHT      ABORTED
  kRequestIdReused,       // REQUEST_ID_REUSED      ALREADY_EXISTS
  kInvalidField,          // INVALID_FIELD          INVALID_ARGUMENT     made by FieldViolations
  kCursorExpired,         // CURSOR_EXPIRED         OUT_OF_RANGE         metadata earliest_cursor, base64url
  kCursorInvalid,         // CURSOR_INVALID         INVALID_ARGUMENT
  kSubscriptionNotFound,  // SUBSCRIPTION_NOT_FOUND NOT_FOUND
  kSubscriptionExists,    // SUBSCRIPTION_EXISTS    ALREADY_EXISTS
  kSubscriptionMode,      // SUBSCRIPTION_MODE      FAILED_PRECONDITION
  kDraining,              // DRAINING               UNAVAILABLE
  kStoreUnavailable,      // STORE_UNAVAILABLE      UNAVAILABLE
  kBreakerOpen,           // BREAKER_OPEN           UNAVAILABLE
  kCallerUnknown,         // CALLER_UNKNOWN         UNAUTHENTICATED
  kCallerNotAllowed,      // CALLER_NOT_ALLOWED     PERMISSION_DENIED
  kMessageNotFound,       // MESSAGE_NOT_FOUND      NOT_FOUND
  kAccountNotFound,       // ACCOUNT_NOT_FOUND      NOT_FOUND
  kQuotaUsedUp,           // QUOTA_USED_UP          RESOURCE_EXHAUSTED   with QuotaFailure and RetryInfo
};

// The reason in capitals, as it stands in ErrorInfo.
absl::string_view ReasonName(GatewayReason reason);

// Keys and values of ErrorInfo.metadata.
using ErrorMetadata = std::initializer_list<std::pair<absl::string_view, absl::string_view>>;

// An error of the gateway's own: the reason's code from the table above, ErrorInfo with domain "aulm-gateway".
// `message` says what is wrong and what to do; no key, body or whole phone number. Cut at 512 bytes.
absl::Status GatewayError(GatewayReason reason, absl::string_view message, ErrorMetadata metadata = {});

// An error with any code, domain and reason; for aulm_error, and where a reason's code is not the table's.
absl::Status ErrorWithInfo(absl::StatusCode code, absl::string_view domain, absl::string_view reason,
                           absl::string_view message, ErrorMetadata metadata = {});

// What a send came to, as far as the gateway knows. A repeat is safe only after kNotSent.
enum class Outcome { kNotSent, kUnknown };

// Adding details. Each does nothing to an OK status; strings are cut at 256 bytes; a detail that would take the whole
// over kMaxDetailBytes is left out.
// Sets one key of ErrorInfo.metadata (such as request_id), replacing an earlier value.
void SetMetadata(absl::Status& status, absl::string_view key, absl::string_view value);
// ErrorInfo.metadata["outcome"] = "not_sent" or "unknown".
void SetOutcome(absl::Status& status, Outcome outcome);
// RetryInfo. A negative delay counts as 0.
void SetRetryDelay(absl::Status& status, absl::Duration delay);
// RequestInfo.request_id: aulm's x-request-id.
void SetAulmRequestId(absl::Status& status, absl::string_view aulm_request_id);
// PreconditionFailure with one violation: type "SESSION" or "API_KEY", subject "session:<id>" or "account:<name>".
void SetPreconditionFailure(absl::Status& status, absl::string_view type, absl::string_view subject,
                            absl::string_view description);
// QuotaFailure with one violation: subject "account:<name>".
void SetQuotaFailure(absl::Status& status, absl::string_view subject, absl::string_view description);
// ResourceInfo: type "session" or "subscription".
void SetResourceInfo(absl::Status& status, absl::string_view type, absl::string_view name,
                     absl::string_view description);
// BadRequest with one violation, for errors that are not INVALID_FIELD (see FieldViolations for those).
void SetBadField(absl::Status& status, absl::string_view field, absl::string_view description);
// Any message, under its type URL.
void SetDetail(absl::Status& status, const google::protobuf::MessageLite& detail);

// Reading details. All answer nullopt (or empty) where the detail is absent or unreadable.
struct ErrorDetails {
  std::string reason;
  std::string domain;
  std::map<std::string, std::string> metadata;
};
std::optional<ErrorDetails> DetailsOf(const absl::Status& status);
// ErrorInfo.reason, or empty.
std::string ReasonOf(const absl::Status& status);
// True when ErrorInfo has that reason in the gateway's domain.
bool HasReason(const absl::Status& status, GatewayReason reason);
std::optional<Outcome> OutcomeOf(const absl::Status& status);
std::optional<absl::Duration> RetryDelayOf(const absl::Status& status);
std::optional<std::string> AulmRequestIdOf(const absl::Status& status);
// The field names of BadRequest, in order.
std::vector<std::string> BadFieldsOf(const absl::Status& status);
// Parses the detail of the message's type into it; false where absent or unreadable.
bool ReadDetail(const absl::Status& status, google::protobuf::MessageLite& detail);

// What the trailing metadata `grpc-retry-pushback-ms` is to say: -1 (do not repeat by yourself) where the outcome is
// unknown or a quota ran out; RetryInfo's delay with UNAVAILABLE and with a RESOURCE_EXHAUSTED that is no quota's;
// nullopt where it is not sent.
std::optional<int64_t> RetryPushbackMs(const absl::Status& status);

// The bad fields of one request, gathered so that a caller hears of all of them at once:
//   FieldViolations bad;
//   if (!IsUuid(request.session_id())) bad.Add("session_id", "must be a UUID of 36 characters");
//   if (!bad.empty()) return bad.ToStatus();
// Not thread-safe.
class FieldViolations {
 public:
  // `field` is a path such as "to" or "filter.types[2]". `description` says what is allowed, never the value itself.
  void Add(absl::string_view field, absl::string_view description);

  bool empty() const { return fields_.empty(); }

  // INVALID_ARGUMENT, reason INVALID_FIELD, outcome not_sent where `is_send`; its message and BadRequest name every
  // field, as far as kMaxDetailBytes allows ("and 12 more"). OK when empty.
  absl::Status ToStatus(bool is_send = false) const;

 private:
  std::vector<std::pair<std::string, std::string>> fields_;  // path, description
};

}  // namespace aulm::gateway
