#include "service/rpc/status_conversion.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "service/rpc/rate_limit_trailers.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";

// The payload of one type, decoded; nullopt when the status has none.
template <typename Message>
std::optional<Message> Payload(const absl::Status& status) {
  const auto bytes = status.GetPayload(absl::StrCat("type.googleapis.com/", Message::descriptor()->full_name()));
  Message message;
  if (!bytes.has_value() || !message.ParseFromString(std::string(*bytes))) return std::nullopt;
  return message;
}

bool MayRetry(const google::rpc::ErrorInfo& info, absl::StatusCode code) {
  const auto outcome = info.metadata().find("outcome");
  if (outcome != info.metadata().end() && outcome->second == "unknown") return false;
  return code == absl::StatusCode::kUnavailable || code == absl::StatusCode::kResourceExhausted;
}

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  std::vector<std::pair<std::string, std::string>> details;
  status.ForEachPayload([&](absl::string_view type_url, const absl::Cord& value) {
    details.emplace_back(std::string(type_url), std::string(value));
  });
  std::sort(details.begin(), details.end(), [](const auto& a, const auto& b) {
    const bool a_is_info = a.first == kErrorInfoUrl;
    const bool b_is_info = b.first == kErrorInfoUrl;
    return a_is_info != b_is_info ? a_is_info : a.first < b.first;
  });
  google::rpc::Status encoded;
  encoded.set_code(static_cast<int>(status.code()));
  encoded.set_message(std::string(status.message()));
  for (auto& [type_url, value] : details) {
    google::protobuf::Any& any = *encoded.add_details();
    any.set_type_url(std::move(type_url));
    any.set_value(std::move(value));
  }
  return grpc::Status(static_cast<grpc::StatusCode>(status.code()), std::string(status.message()),
                      encoded.SerializeAsString());
}

void AddErrorTrailers(const absl::Status& status, grpc::ServerContextBase& context) {
  if (status.ok()) return;
  if (const auto request = Payload<google::rpc::RequestInfo>(status); request && !request->request_id().empty()) {
    AddRequestIdTrailer(request->request_id(), context);
  }
  if (const auto limit = Payload<v1::RateLimit>(status)) AddRateLimitTrailers(*limit, context);
  const auto info = Payload<google::rpc::ErrorInfo>(status);
  if (!info) return;
  const auto retry = Payload<google::rpc::RetryInfo>(status);
  const bool is_quota = Payload<google::rpc::QuotaFailure>(status).has_value();
  if (!MayRetry(*info, status.code()) || is_quota) {
    // Without pushback a retry policy somewhere on the way might repeat what must not be repeated.
    context.AddTrailingMetadata("grpc-retry-pushback-ms", "-1");
  } else if (retry) {
    const int64_t ms = retry->retry_delay().seconds() * 1000 + retry->retry_delay().nanos() / 1'000'000;
    context.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(std::min<int64_t>(ms, INT32_MAX)));
  }
}

}  // namespace aulm::gateway
