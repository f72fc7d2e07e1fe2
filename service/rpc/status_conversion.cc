#include "service/rpc/status_conversion.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/v1/rate_limit.pb.h"
#include "google/rpc/status.pb.h"
#include "service/base/status_details.h"
#include "service/rpc/rate_limit_trailers.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kErrorInfoUrl = "type.googleapis.com/google.rpc.ErrorInfo";

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
  if (const auto id = AulmRequestIdOf(status); id.has_value()) AddRequestIdTrailer(*id, context);
  if (v1::RateLimit limit; ReadDetail(status, limit)) AddRateLimitTrailers(limit, context);
  if (const auto pushback = RetryPushbackMs(status); pushback.has_value()) {
    context.AddTrailingMetadata("grpc-retry-pushback-ms", absl::StrCat(*pushback));
  }
}

}  // namespace aulm::gateway
