#pragma once

#include <optional>
#include <string>

#include "absl/time/time.h"
#include "service/aulm/http_transport.h"
#include "service/aulm/rate_limit.h"

// aulm's response headers, read (aulm API, "Response headers"). What is absent or unreadable is nullopt.
namespace aulm::gateway {

// x-ratelimit-limit, -remaining and -reset (ISO 8601). nullopt unless the first two are whole numbers.
std::optional<RateLimit> ReadRateLimit(const HttpResponse& response);

// Retry-After, in seconds or as an HTTP date; never negative. A date is measured from the answer's own Date where it
// has one, so that a clock that is wrong here does no harm, else from `now`.
std::optional<absl::Duration> ReadRetryAfter(const HttpResponse& response, absl::Time now);

// aulm's id of the exchange: x-request-id, else what the body has. Empty where neither is a plain id (IsPlainId): it
// goes into logs, trailers and records.
std::string ReadAulmRequestId(const HttpResponse& response, absl::string_view in_body = "");

// How long it is to the quota's reset, measured likewise; never negative.
std::optional<absl::Duration> ReadTimeToReset(const HttpResponse& response, absl::Time now);

}  // namespace aulm::gateway
