#pragma once

#include <string>

#include "aulm/gateway/v1/rate_limit.pb.h"
#include "grpcpp/server_context.h"

namespace aulm::gateway {

// aulm's own headers, passed on as trailing metadata under the same names, on answers and errors alike.

// x-request-id: what to quote to aulm's support.
void AddRequestIdTrailer(const std::string& aulm_request_id, grpc::ServerContextBase& context);

// x-ratelimit-limit, x-ratelimit-remaining, x-ratelimit-reset (ISO 8601, UTC).
void AddRateLimitTrailers(const v1::RateLimit& limit, grpc::ServerContextBase& context);

}  // namespace aulm::gateway
