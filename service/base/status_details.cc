#include "service/base/status_details.h"

#include <algorithm>

#include "absl/strings/cord.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "google/rpc/error_details.pb.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kTypeUrlPrefix = "type.googleapis.com/";
constexpr size_t kMaxMessageBytes = 512;
constexpr size_t kMaxStringBytes = 256;
// Kept free by the other details, so that metadata set later (request_id, outcome) always finds room.
constexpr size_t kReservedForMetadata = 320;
// Tags and lengths of one google.protobuf.Any in google.rpc.Status.
constexpr size_t kAnyOverhead = 10;

struct ReasonRow {
  GatewayReason reason;
  absl::string_view name;
  absl::StatusCode code;
};

// In the order of GatewayReason, which indexes it.
constexpr ReasonRow kReasons[] = {
    {GatewayReason::kConnectFailed, "CONNECT_FAILED", absl::StatusCode::kUnavailable},
    {GatewayReason::kSendOutcomeUnknown, "SEND_OUTCOME_UNKNOWN", absl::StatusCode::kUnknown},
    {GatewayReason::kCallDeadline, "CALL_DEADLINE", absl::StatusCode::kDeadlineExceeded},
    {GatewayReason::kCallCancelled, "CALL_CANCELLED", absl::StatusCode::kCancelled},
    {GatewayReason::kUnexpectedResponse, "UNEXPECTED_RESPONSE", absl::StatusCode::kUnknown},
    {GatewayReason::kAccountSuspended, "ACCOUNT_SUSPENDED", absl::StatusCode::kFailedPrecondition},
    {GatewayReason::kPaced, "PACED", absl::StatusCode::kResourceExhausted},
    {GatewayReason::kOverloaded, "OVERLOADED", absl::StatusCode::kResourceExhausted},
    {GatewayReason::kRequestInFlight, "REQUEST_IN_FLIGHT", absl::StatusCode::kAborted},
    {GatewayReason::kRequestIdReused, "REQUEST_ID_REUSED", absl::StatusCode::kAlreadyExists},
    {GatewayReason::kInvalidField, "INVALID_FIELD", absl::StatusCode::kInvalidArgument},
    {GatewayReason::kCursorExpired, "CURSOR_EXPIRED", absl::StatusCode::kOutOfRange},
    {GatewayReason::kCursorInvalid, "CURSOR_INVALID", absl::StatusCode::kInvalidArgument},
    {GatewayReason::kSubscriptionNotFound, "SUBSCRIPTION_NOT_FOUND", absl::StatusCode::kNotFound},
    {GatewayReason::kSubscriptionExists, "SUBSCRIPTION_EXISTS", absl::StatusCode::kAlreadyExists},
    {GatewayReason::kSubscriptionMode, "SUBSCRIPTION_MODE", absl::StatusCode::kFailedPrecondition},
    {GatewayReason::kDraining, "DRAINING", absl::StatusCode::kUnavailable},
    {GatewayReason::kStoreUnavailable, "STORE_UNAVAILABLE", absl::StatusCode::kUnavailable},
    {GatewayReason::kBreakerOpen, "BREAKER_OPEN", absl::StatusCode::kUnavailable},
    {GatewayReason::kCallerUnknown, "CALLER_UNKNOWN", absl::StatusCode::kUnauthenticated},
    {GatewayReason::kCallerNotAllowed, "CALLER_NOT_ALLOWED", absl::StatusCode::kPermissionDenied},
    {GatewayReason::kMessageNotFound, "MESSAGE_NOT_FOUND", absl::StatusCode::kNotFound},
    {GatewayReason::kAccountNotFound, "ACCOUNT_NOT_FOUND", absl::StatusCode::kNotFound},
    {GatewayReason::kQuotaUsedUp, "QUOTA_USED_UP", absl::StatusCode::kResourceExhausted},
};

constexpr bool InOrder() {
  for (size_t i = 0; i < std::size(kReasons); ++i) {
    if (static_cast<size_t>(kReasons[i].reason) != i) return false;
  }
  return true;
}
static_assert(InOrder() && std::size(kReasons) == static_cast<size_t>(GatewayReason::kQuotaUsedUp) + 1);

const ReasonRow& Row(GatewayReason reason) { return kReasons[static_cast<size_t>(reason)]; }

// `text` as valid UTF-8 (protobuf strings must be) of at most `max` bytes, cut between code points.
std::string Cut(absl::string_view text, size_t max = kMaxStringBytes) {
  std::string repaired = RepairUtf8(text.substr(0, max + 4));
  if (repaired.size() <= max) return repaired;
  size_t end = max;
  while (end > 0 && (static_cast<unsigned char>(repaired[end]) & 0xC0) == 0x80) --end;
  repaired.resize(end);
  return repaired;
}

std::string TypeUrl(const google::protobuf::MessageLite& detail) {
  return absl::StrCat(kTypeUrlPrefix, detail.GetTypeName());
}

// Bytes of the message and of every detail but the one of `except`.
size_t BytesWithout(const absl::Status& status, absl::string_view except) {
  size_t bytes = status.message().size() + kAnyOverhead;
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& payload) {
    if (type_url != except) bytes += type_url.size() + payload.size() + kAnyOverhead;
  });
  return bytes;
}

void Put(absl::Status& status, const google::protobuf::MessageLite& detail, size_t limit) {
  const std::string type_url = TypeUrl(detail);
  const std::string bytes = detail.SerializeAsString();
  if (BytesWithout(status, type_url) + type_url.size() + bytes.size() + kAnyOverhead > limit) return;
  status.SetPayload(type_url, absl::Cord(absl::string_view(bytes)));
}

}  // namespace

absl::string_view ReasonName(GatewayReason reason) { return Row(reason).name; }

absl::Status GatewayError(GatewayReason reason, absl::string_view message, ErrorMetadata metadata) {
  return ErrorWithInfo(Row(reason).code, kGatewayDomain, Row(reason).name, message, metadata);
}

absl::Status ErrorWithInfo(absl::StatusCode code, absl::string_view domain, absl::string_view reason,
                           absl::string_view message, ErrorMetadata metadata) {
  absl::Status status(code, Cut(message, kMaxMessageBytes));
  google::rpc::ErrorInfo info;
  info.set_reason(Cut(reason, 63));
  info.set_domain(Cut(domain, 63));
  for (const auto& [key, value] : metadata) (*info.mutable_metadata())[Cut(key, 63)] = Cut(value);
  Put(status, info, kMaxDetailBytes);
  return status;
}

void SetMetadata(absl::Status& status, absl::string_view key, absl::string_view value) {
  google::rpc::ErrorInfo info;
  ReadDetail(status, info);
  (*info.mutable_metadata())[Cut(key, 63)] = Cut(value);
  Put(status, info, kMaxDetailBytes);
}

void SetOutcome(absl::Status& status, Outcome outcome) {
  SetMetadata(status, "outcome", outcome == Outcome::kNotSent ? "not_sent" : "unknown");
}

void SetRetryDelay(absl::Status& status, absl::Duration delay) {
  // The longest that a google.protobuf.Duration holds is 10,000 years; nobody waits that long.
  const absl::Duration bounded = std::clamp(delay, absl::ZeroDuration(), absl::Hours(24 * 366));
  google::rpc::RetryInfo info;
  absl::Duration fraction;
  info.mutable_retry_delay()->set_seconds(absl::IDivDuration(bounded, absl::Seconds(1), &fraction));
  info.mutable_retry_delay()->set_nanos(static_cast<int32_t>(absl::ToInt64Nanoseconds(fraction)));
  SetDetail(status, info);
}

void SetAulmRequestId(absl::Status& status, absl::string_view aulm_request_id) {
  google::rpc::RequestInfo info;
  info.set_request_id(Cut(aulm_request_id, 128));
  SetDetail(status, info);
}

void SetPreconditionFailure(absl::Status& status, absl::string_view type, absl::string_view subject,
                            absl::string_view description) {
  google::rpc::PreconditionFailure failure;
  auto& violation = *failure.add_violations();
  violation.set_type(Cut(type));
  violation.set_subject(Cut(subject));
  violation.set_description(Cut(description));
  SetDetail(status, failure);
}

void SetQuotaFailure(absl::Status& status, absl::string_view subject, absl::string_view description) {
  google::rpc::QuotaFailure failure;
  auto& violation = *failure.add_violations();
  violation.set_subject(Cut(subject));
  violation.set_description(Cut(description));
  SetDetail(status, failure);
}

void SetResourceInfo(absl::Status& status, absl::string_view type, absl::string_view name,
                     absl::string_view description) {
  google::rpc::ResourceInfo info;
  info.set_resource_type(Cut(type));
  info.set_resource_name(Cut(name));
  info.set_description(Cut(description));
  SetDetail(status, info);
}

void SetBadField(absl::Status& status, absl::string_view field, absl::string_view description) {
  google::rpc::BadRequest bad;
  auto& violation = *bad.add_field_violations();
  violation.set_field(Cut(field));
  violation.set_description(Cut(description));
  SetDetail(status, bad);
}

void SetDetail(absl::Status& status, const google::protobuf::MessageLite& detail) {
  Put(status, detail, kMaxDetailBytes - kReservedForMetadata);
}

bool ReadDetail(const absl::Status& status, google::protobuf::MessageLite& detail) {
  const absl::optional<absl::Cord> payload = status.GetPayload(TypeUrl(detail));
  return payload.has_value() && detail.ParseFromString(std::string(*payload));
}

std::optional<ErrorDetails> DetailsOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  if (!ReadDetail(status, info)) return std::nullopt;
  return ErrorDetails{info.reason(), info.domain(), {info.metadata().begin(), info.metadata().end()}};
}

std::string ReasonOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  return ReadDetail(status, info) ? info.reason() : "";
}

bool HasReason(const absl::Status& status, GatewayReason reason) {
  google::rpc::ErrorInfo info;
  return ReadDetail(status, info) && info.domain() == kGatewayDomain && info.reason() == ReasonName(reason);
}

std::optional<Outcome> OutcomeOf(const absl::Status& status) {
  google::rpc::ErrorInfo info;
  if (!ReadDetail(status, info)) return std::nullopt;
  const auto outcome = info.metadata().find("outcome");
  if (outcome == info.metadata().end()) return std::nullopt;
  if (outcome->second == "not_sent") return Outcome::kNotSent;
  if (outcome->second == "unknown") return Outcome::kUnknown;
  return std::nullopt;
}

std::optional<absl::Duration> RetryDelayOf(const absl::Status& status) {
  google::rpc::RetryInfo info;
  if (!ReadDetail(status, info)) return std::nullopt;
  return absl::Seconds(info.retry_delay().seconds()) + absl::Nanoseconds(info.retry_delay().nanos());
}

std::optional<std::string> AulmRequestIdOf(const absl::Status& status) {
  google::rpc::RequestInfo info;
  if (!ReadDetail(status, info)) return std::nullopt;
  return info.request_id();
}

std::vector<std::string> BadFieldsOf(const absl::Status& status) {
  google::rpc::BadRequest bad;
  if (!ReadDetail(status, bad)) return {};
  std::vector<std::string> fields;
  for (const auto& violation : bad.field_violations()) fields.push_back(violation.field());
  return fields;
}

std::optional<int64_t> RetryPushbackMs(const absl::Status& status) {
  google::rpc::QuotaFailure quota;
  if (OutcomeOf(status) == Outcome::kUnknown || ReadDetail(status, quota)) return -1;
  if (!absl::IsUnavailable(status) && !absl::IsResourceExhausted(status)) return std::nullopt;
  const std::optional<absl::Duration> delay = RetryDelayOf(status);
  if (!delay.has_value()) return std::nullopt;
  return absl::ToInt64Milliseconds(*delay);
}

void FieldViolations::Add(absl::string_view field, absl::string_view description) {
  fields_.emplace_back(Cut(field, 128), Cut(description));
}

absl::Status FieldViolations::ToStatus(bool is_send) const {
  if (fields_.empty()) return absl::OkStatus();
  // The message and BadRequest say the same: half of what is left beside ErrorInfo for each.
  constexpr size_t kRoom = 700;
  google::rpc::BadRequest bad;
  std::string message;
  size_t named = 0;
  for (const auto& [field, description] : fields_) {
    auto& violation = *bad.add_field_violations();
    violation.set_field(field);
    violation.set_description(description);
    if (bad.ByteSizeLong() > kRoom) {
      bad.mutable_field_violations()->RemoveLast();
      break;
    }
    ++named;
    if (message.size() + field.size() + description.size() < kMaxMessageBytes - 32) {
      absl::StrAppend(&message, message.empty() ? "" : "; ", field, ": ", description);
    }
  }
  if (named < fields_.size()) absl::StrAppend(&message, "; and ", fields_.size() - named, " more");
  absl::Status status = GatewayError(GatewayReason::kInvalidField, message);
  if (is_send) SetOutcome(status, Outcome::kNotSent);
  SetDetail(status, bad);
  return status;
}

}  // namespace aulm::gateway
