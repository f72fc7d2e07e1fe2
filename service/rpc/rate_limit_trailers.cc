#include "service/rpc/rate_limit_trailers.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "service/base/utc_text.h"

namespace aulm::gateway {

void AddRequestIdTrailer(const std::string& aulm_request_id, grpc::ServerContextBase& context) {
  for (const char c : aulm_request_id) {
    if (!absl::ascii_isprint(static_cast<unsigned char>(c)))
      return;  // not valid as metadata; the details still have it
  }
  context.AddTrailingMetadata("x-request-id", aulm_request_id);
}

void AddRateLimitTrailers(const v1::RateLimit& limit, grpc::ServerContextBase& context) {
  context.AddTrailingMetadata("x-ratelimit-limit", absl::StrCat(limit.limit()));
  context.AddTrailingMetadata("x-ratelimit-remaining", absl::StrCat(limit.remaining()));
  if (!limit.has_reset_time()) return;
  const absl::Time reset = absl::FromUnixSeconds(limit.reset_time().seconds());
  context.AddTrailingMetadata("x-ratelimit-reset", UtcSeconds(reset));
}

}  // namespace aulm::gateway
