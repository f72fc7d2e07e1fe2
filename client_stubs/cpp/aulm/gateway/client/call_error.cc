#include "aulm/gateway/client/call_error.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "google/protobuf/any.pb.h"
#include "google/protobuf/duration.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace aulm::gateway::client {
namespace {

// google.rpc metadata, or empty.
std::string Lookup(const std::map<std::string, std::string>& metadata, const std::string& key) {
  const auto found = metadata.find(key);
  return found == metadata.end() ? "" : found->second;
}

void Read(const google::rpc::ErrorInfo& info, CallError& error) {
  error.reason = info.reason();
  error.domain = info.domain();
  error.metadata.insert(info.metadata().begin(), info.metadata().end());
  const std::string outcome = Lookup(error.metadata, "outcome");
  if (outcome == "not_sent") error.outcome = Outcome::kNotSent;
  if (outcome == "unknown") error.outcome = Outcome::kUnknown;
  error.request_id = Lookup(error.metadata, "request_id");
  absl::WebSafeBase64Unescape(Lookup(error.metadata, "earliest_cursor"), &error.earliest_cursor);
}

void Read(const google::rpc::RetryInfo& retry, CallError& error) {
  error.retry_after = absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
}

void Read(const google::rpc::RequestInfo& request, CallError& error) { error.aulm_request_id = request.request_id(); }

void Read(const google::rpc::BadRequest& bad, CallError& error) {
  for (const auto& violation : bad.field_violations()) {
    error.field_violations.push_back({violation.field(), violation.description()});
  }
}

void Read(const google::rpc::PreconditionFailure& failure, CallError& error) {
  for (const auto& violation : failure.violations()) {
    error.precondition_violations.push_back({violation.subject(), violation.description()});
  }
}

void Read(const google::rpc::QuotaFailure& failure, CallError& error) {
  for (const auto& violation : failure.violations()) {
    error.quota_violations.push_back({violation.subject(), violation.description()});
  }
}

void Read(const google::rpc::ResourceInfo& resource, CallError& error) {
  error.resource_description = resource.description();
}

void Read(const v1::RateLimit& limit, CallError& error) { error.quota = limit; }

// True when `any` held a Detail; one that is broken counts as read, and changes nothing.
template <typename Detail>
bool ReadAs(const google::protobuf::Any& any, CallError& error) {
  if (!any.Is<Detail>()) return false;
  if (Detail detail; any.UnpackTo(&detail)) Read(detail, error);
  return true;
}

template <typename... Details>
void ReadAny(const google::protobuf::Any& any, CallError& error) {
  (ReadAs<Details>(any, error) || ...);
}

}  // namespace

std::ostream& operator<<(std::ostream& out, const CallError& error) {
  return out << CodeName(error.code) << (error.from_gateway() ? " " : "") << error.reason << ": " << error.message;
}

absl::Status ToStatus(const CallError& error) {
  return absl::Status(static_cast<absl::StatusCode>(error.code),
                      absl::StrCat(error.reason, error.from_gateway() ? ": " : "", error.message));
}

CallError ToCallError(const grpc::Status& status) {
  CallError error;
  error.code = status.error_code();
  error.message = status.error_message();
  google::rpc::Status details;
  if (!details.ParseFromString(status.error_details())) return error;
  for (const google::protobuf::Any& any : details.details()) {
    ReadAny<google::rpc::ErrorInfo, google::rpc::RetryInfo, google::rpc::RequestInfo, google::rpc::BadRequest,
            google::rpc::PreconditionFailure, google::rpc::QuotaFailure, google::rpc::ResourceInfo, v1::RateLimit>(
        any, error);
  }
  return error;
}

CallError NotMade(grpc::StatusCode code, std::string message) {
  CallError error;
  error.code = code;
  error.message = std::move(message);
  error.outcome = Outcome::kNotSent;
  return error;
}

Outcome SendOutcome(const CallError& error) {
  if (error.outcome != Outcome::kNone) return error.outcome;
  switch (error.code) {
    case grpc::StatusCode::UNIMPLEMENTED:
    case grpc::StatusCode::UNAUTHENTICATED:
    case grpc::StatusCode::PERMISSION_DENIED:
      return Outcome::kNotSent;
    default:
      return Outcome::kUnknown;
  }
}

bool MayPass(grpc::StatusCode code) {
  return code == grpc::StatusCode::UNAVAILABLE || code == grpc::StatusCode::DEADLINE_EXCEEDED ||
         code == grpc::StatusCode::RESOURCE_EXHAUSTED;
}

CallError WrongMode(const std::string& subscription, const std::string& mode, const std::string& use) {
  CallError error;
  error.code = grpc::StatusCode::FAILED_PRECONDITION;
  error.reason = "SUBSCRIPTION_MODE";
  error.message = absl::StrCat("the subscription ", subscription, " has mode ", mode, ": use ", use);
  return error;
}

std::string CodeName(grpc::StatusCode code) {
  static constexpr const char* kNames[] = {
      "OK",        "CANCELLED",      "UNKNOWN",           "INVALID_ARGUMENT",   "DEADLINE_EXCEEDED",
      "NOT_FOUND", "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION",
      "ABORTED",   "OUT_OF_RANGE",   "UNIMPLEMENTED",     "INTERNAL",           "UNAVAILABLE",
      "DATA_LOSS", "UNAUTHENTICATED"};
  const int number = static_cast<int>(code);
  if (number < 0 || number >= static_cast<int>(std::size(kNames))) return absl::StrCat("CODE_", number);
  return kNames[number];
}

}  // namespace aulm::gateway::client
