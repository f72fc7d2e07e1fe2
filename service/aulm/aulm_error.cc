#include "service/aulm/aulm_error.h"

#include <optional>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "service/aulm/answer_headers.h"
#include "service/aulm/aulm_json.h"
#include "service/base/status_details.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

using Code = absl::StatusCode;

// The detail that goes with an error beside ErrorInfo, RequestInfo and RetryInfo.
enum class Detail { kNone, kBadRequest, kApiKey, kSession, kSessionState, kQuota };

// What a caller is told for one code of aulm's, or for a code that is not listed, by its HTTP status.
struct Mapping {
  Code send;
  Code read;
  Outcome outcome;  // of a send
  Detail detail;
  absl::string_view advice;  // ends the message; {account} and {session} are put in
};

constexpr Mapping Refused(Code code, Detail detail = Detail::kNone, absl::string_view advice = "") {
  return {code, code, Outcome::kNotSent, detail, advice};
}

// aulm or what stands before it failed in the middle: a message may be on its way, a read may simply be repeated.
constexpr Mapping InDoubt(absl::string_view advice = "") {
  return {Code::kUnknown, Code::kUnavailable, Outcome::kUnknown, Detail::kNone, advice};
}

constexpr absl::string_view kOurBug = "This is a fault of the gateway: please report it";
constexpr absl::string_view kBadKey = "Put a valid key into the key file of account \"{account}\"";
constexpr absl::string_view kQuotaUsedUp = "Wait for the reset, or enlarge the plan of account \"{account}\" at aulm";
constexpr absl::string_view kDoubt = "The message may have been sent all the same";

struct ListedCode {
  absl::string_view code;
  Mapping mapping;
};

// aulm API, "Errors", in the order of their HTTP statuses. The code decides, whatever status it comes with.
constexpr ListedCode kListedCodes[] = {
    // 400. We write the JSON: if it is invalid, no caller can mend that.
    {"invalid_json", Refused(Code::kInternal, Detail::kNone, kOurBug)},
    {"invalid_request", Refused(Code::kInvalidArgument, Detail::kBadRequest)},
    // 401. The header is ours as well; the key is the operator's. Neither is the caller's, so never UNAUTHENTICATED,
    // which would make it look for new credentials of its own.
    {"missing_authorization", Refused(Code::kInternal, Detail::kNone, kOurBug)},
    {"invalid_authorization", Refused(Code::kInternal, Detail::kNone, kOurBug)},
    {"invalid_api_key", Refused(Code::kFailedPrecondition, Detail::kApiKey, kBadKey)},
    {"api_key_revoked", Refused(Code::kFailedPrecondition, Detail::kApiKey, kBadKey)},
    {"api_key_expired", Refused(Code::kFailedPrecondition, Detail::kApiKey, kBadKey)},
    {"account_deactivated", Refused(Code::kFailedPrecondition, Detail::kApiKey,
                                    "The aulm account behind \"{account}\" is deactivated: ask aulm's support")},
    // 403
    {"session_disabled", Refused(Code::kPermissionDenied, Detail::kSession,
                                 "aulm has disabled session {session}: see aulm's dashboard or ask its support")},
    {"session_not_allowed",
     Refused(Code::kPermissionDenied, Detail::kSession,
             "The key of account \"{account}\" may not use session {session}: allow it in aulm's "
             "dashboard, or use another session")},
    // 404
    {"session_not_found",
     Refused(Code::kNotFound, Detail::kSession,
             "Session {session} is not known to account \"{account}\": sessions are created and paired "
             "in aulm's dashboard")},
    // 409
    {"session_not_ready",
     Refused(Code::kFailedPrecondition, Detail::kSessionState,
             "Session {session} is not connected: pair it (scan its QR code) in aulm's dashboard")},
    // 429
    {"too_many_auth_failures",
     Refused(Code::kResourceExhausted, Detail::kNone,
             "aulm holds off this address for refused keys: check the key files of every account")},
    {"daily_quota_exceeded", Refused(Code::kResourceExhausted, Detail::kQuota, kQuotaUsedUp)},
    {"trial_quota_exceeded", Refused(Code::kResourceExhausted, Detail::kQuota, kQuotaUsedUp)},
    // 502. "Refunded" says that nothing is billed, not that nothing reached WhatsApp.
    {"messaging_service_unreachable", InDoubt(kDoubt)},
    {"messaging_service_error", InDoubt(kDoubt)},
    // 503. The one failure of aulm's that comes before any work: overload, and it names the time to come back.
    {"service_unavailable", Refused(Code::kUnavailable)},
    // 504
    {"messaging_service_timeout", InDoubt(kDoubt)},
};

// For codes that are not listed, and for bodies that are not aulm's error JSON.
Mapping ByHttpStatus(int status) {
  switch (status) {
    case 400:
    case 413:
    case 422:
      return Refused(Code::kInvalidArgument, Detail::kBadRequest);
    case 403:
      return Refused(Code::kPermissionDenied);
    case 404:
      return Refused(Code::kNotFound);
    case 429:
      return Refused(Code::kResourceExhausted);
    default:
      // 401 and 409 among them.
      if (status >= 400 && status < 500) return Refused(Code::kFailedPrecondition);
      // 5xx; a 3xx, which is not followed and after which (303) a POST may have been acted on; and what is no HTTP
      // status.
      return InDoubt(kDoubt);
  }
}

const Mapping* Listed(absl::string_view code) {
  for (const ListedCode& listed : kListedCodes) {
    if (listed.code == code) return &listed.mapping;
  }
  return nullptr;
}

absl::string_view Operation(const AulmCall& call) {
  switch (call.endpoint) {
    case AulmEndpoint::kSendText:
      return "SendText";
    case AulmEndpoint::kSendImage:
      return "SendImage";
    case AulmEndpoint::kSessionStatus:
      return "GetSessionStatus";
  }
  return "call";
}

std::string UpperSnake(absl::string_view code) {
  std::string reason = absl::AsciiStrToUpper(code);
  for (char& c : reason) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c))) c = '_';
  }
  return reason;
}

// aulm's own words as they may go on: at most 200 bytes, numbers that could be phone numbers masked, keys left out.
std::string Quoted(absl::string_view message) {
  constexpr size_t kMaxBytes = 200;
  std::string quoted;
  size_t i = 0;
  while (i < message.size() && quoted.size() < kMaxBytes) {
    size_t digits = message[i] == '+' ? i + 1 : i;
    while (digits < message.size() && absl::ascii_isdigit(static_cast<unsigned char>(message[digits]))) ++digits;
    if (digits - i >= 9) {
      absl::StrAppend(&quoted, MaskPhone(message.substr(i, digits - i)));
      i = digits;
    } else if (absl::StartsWith(message.substr(i), "alm_sk_")) {
      absl::StrAppend(&quoted, "(key)");
      while (i < message.size() && absl::ascii_isgraph(static_cast<unsigned char>(message[i]))) ++i;
    } else {
      const size_t end = digits > i ? digits : i + 1;
      absl::StrAppend(&quoted, message.substr(i, end - i));
      i = end;
    }
  }
  return quoted;
}

std::string Advice(absl::string_view advice, const AulmCall& call) {
  std::string text;
  size_t done = 0;
  for (size_t open = advice.find('{'); open != absl::string_view::npos; open = advice.find('{', done)) {
    absl::StrAppend(&text, advice.substr(done, open - done));
    const size_t close = advice.find('}', open);
    absl::StrAppend(&text, advice[open + 1] == 'a' ? call.account : call.session_id);
    done = close + 1;
  }
  absl::StrAppend(&text, advice.substr(done));
  return text;
}

void AddDetail(Detail detail, const AulmCall& call, absl::string_view description, absl::Status& status) {
  switch (detail) {
    case Detail::kNone:
      return;
    case Detail::kBadRequest:
      // aulm names no field; it is one that our own checks let through.
      return SetBadField(status, "request", description);
    case Detail::kApiKey:
      return SetPreconditionFailure(status, "API_KEY", absl::StrCat("account:", call.account), description);
    case Detail::kSession:
      return SetResourceInfo(status, "session", call.session_id, description);
    case Detail::kSessionState:
      return SetPreconditionFailure(status, "SESSION", absl::StrCat("session:", call.session_id), description);
    case Detail::kQuota:
      return SetQuotaFailure(status, absl::StrCat("account:", call.account), description);
  }
}

void AddRateLimit(const HttpResponse& response, absl::Status& status) {
  const std::optional<RateLimit> limit = ReadRateLimit(response);
  if (!limit.has_value()) return;
  v1::RateLimit detail;
  detail.set_limit(limit->limit);
  detail.set_remaining(limit->remaining);
  if (limit->reset.has_value()) {
    const absl::Time reset = *limit->reset;
    detail.mutable_reset_time()->set_seconds(absl::ToUnixSeconds(reset));
    const absl::Duration fraction = reset - absl::FromUnixSeconds(absl::ToUnixSeconds(reset));
    detail.mutable_reset_time()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(fraction)));
  }
  SetDetail(status, detail);
}

// What every error that came with an answer has.
void AddFacts(const HttpResponse& response, const AulmCall& call, Outcome outcome, absl::string_view request_id,
              absl::Status& status) {
  SetMetadata(status, "http_status", absl::StrCat(response.status));
  if (call.is_send()) SetOutcome(status, outcome);
  if (!request_id.empty()) SetAulmRequestId(status, request_id);
}

absl::Status NoAnswer(GatewayReason reason, const AulmCall& call, Outcome outcome, absl::string_view what) {
  absl::Status status = GatewayError(reason, absl::StrCat(Operation(call), ": ", what));
  if (call.is_send()) SetOutcome(status, outcome);
  return status;
}

// No answer to something that aulm may have acted on. Of a read nothing is in doubt: UNAVAILABLE, repeat it.
absl::Status Broken(const HttpFailure& failure, const AulmCall& call) {
  if (call.is_send()) {
    return NoAnswer(
        GatewayReason::kSendOutcomeUnknown, call, Outcome::kUnknown,
        absl::StrCat("no answer from aulm after the request was written (", failure.message, "). ", kDoubt));
  }
  return ErrorWithInfo(Code::kUnavailable, kGatewayDomain, ReasonName(GatewayReason::kSendOutcomeUnknown),
                       absl::StrCat(Operation(call), ": no answer from aulm (", failure.message, ")"));
}

}  // namespace

absl::Status ErrorOfAnswer(const HttpResponse& response, const AulmCall& call, absl::Time now) {
  const std::optional<AulmErrorBody> body = ReadErrorBody(response.body);
  const Mapping* const listed = body.has_value() ? Listed(body->code) : nullptr;
  const Mapping mapping = listed != nullptr ? *listed : ByHttpStatus(response.status);

  std::string message;
  std::string reason;
  if (body.has_value()) {
    reason = UpperSnake(body->code);
    message = absl::StrCat(Operation(call), ": aulm answered ", absl::AsciiStrToLower(reason), " (HTTP ",
                           response.status, ")");
    if (!body->message.empty()) absl::StrAppend(&message, ": ", Quoted(body->message));
  } else {
    reason = std::string(ReasonName(GatewayReason::kUnexpectedResponse));
    message = absl::StrCat(Operation(call), ": HTTP ", response.status, " with ", response.body.size(),
                           " bytes that are not aulm's error JSON");
  }
  const bool in_doubt = mapping.outcome == Outcome::kUnknown;
  const std::string advice = in_doubt && !call.is_send() ? "" : Advice(mapping.advice, call);
  if (!advice.empty()) absl::StrAppend(&message, absl::EndsWith(message, ".") ? " " : ". ", advice);

  absl::Status status = ErrorWithInfo(call.is_send() ? mapping.send : mapping.read,
                                      body.has_value() ? kAulmDomain : kGatewayDomain, reason, message);
  AddFacts(response, call, mapping.outcome, ReadAulmRequestId(response, body.has_value() ? body->request_id : ""),
           status);
  AddDetail(mapping.detail, call, advice.empty() ? message : advice, status);
  if (absl::IsResourceExhausted(status) || absl::IsUnavailable(status)) {
    std::optional<absl::Duration> delay = ReadRetryAfter(response, now);
    if (!delay.has_value() && absl::IsResourceExhausted(status)) delay = ReadTimeToReset(response, now);
    if (delay.has_value()) SetRetryDelay(status, *delay);
  }
  AddRateLimit(response, status);
  return status;
}

absl::Status UnreadableAnswer(const HttpResponse& response, const AulmCall& call) {
  absl::Status status =
      ErrorWithInfo(call.is_send() ? Code::kUnknown : Code::kUnavailable, kGatewayDomain,
                    ReasonName(GatewayReason::kUnexpectedResponse),
                    absl::StrCat(Operation(call), ": aulm's answer (HTTP ", response.status, ", ", response.body.size(),
                                 " bytes) cannot be read", call.is_send() ? ". The message was probably sent" : ""));
  AddFacts(response, call, Outcome::kUnknown, ReadAulmRequestId(response), status);
  AddRateLimit(response, status);
  return status;
}

absl::Status ErrorOfFailure(const HttpFailure& failure, const AulmCall& call) {
  if (failure.written && call.is_send()) return Broken(failure, call);
  switch (failure.reason) {
    case HttpFailure::Reason::kConnect:
      return NoAnswer(GatewayReason::kConnectFailed, call, Outcome::kNotSent,
                      absl::StrCat("cannot connect to aulm: ", failure.message));
    case HttpFailure::Reason::kDeadline:
      return NoAnswer(GatewayReason::kCallDeadline, call, Outcome::kNotSent,
                      call.is_send() ? "the deadline passed before the request was written: not sent"
                                     : "the deadline passed before aulm answered");
    case HttpFailure::Reason::kCanceled:
      return NoAnswer(GatewayReason::kCallCancelled, call, Outcome::kNotSent, "the caller went away");
    case HttpFailure::Reason::kStopped:
      return NoAnswer(GatewayReason::kDraining, call, Outcome::kNotSent, "the gateway is stopping");
    case HttpFailure::Reason::kBroken:
      // Nothing of the body was written: aulm cannot have acted, which for a caller is as good as never connected.
      if (call.is_send()) {
        return NoAnswer(GatewayReason::kConnectFailed, call, Outcome::kNotSent,
                        absl::StrCat("the connection to aulm broke before the request was written: ", failure.message));
      }
      return Broken(failure, call);
  }
  return Broken(failure, call);
}

absl::Status DetachedError(const AulmCall& call, bool deadline_passed) {
  if (!deadline_passed) {
    return NoAnswer(GatewayReason::kCallCancelled, call, Outcome::kUnknown, "the caller went away; the send goes on");
  }
  return NoAnswer(GatewayReason::kCallDeadline, call, Outcome::kUnknown,
                  absl::StrCat("the deadline passed before aulm answered; the send goes on. ", kDoubt));
}

}  // namespace aulm::gateway
