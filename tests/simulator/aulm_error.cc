#include "tests/simulator/aulm_error.h"

#include <boost/json.hpp>

#include "absl/strings/string_view.h"
#include "tests/simulator/json_view.h"

namespace aulm::simulator {
namespace {

// invalid_json and invalid_request have no status in the page; 400 is what it assumes itself.
constexpr AulmErrorRow kTable[] = {
    {.code = "invalid_json", .http_status = 400, .message = "The request body is not valid JSON."},
    {.code = "invalid_request", .http_status = 400, .message = "The request failed validation."},
    {.code = "missing_authorization", .http_status = 401, .message = "The Authorization header is missing."},
    {.code = "invalid_authorization", .http_status = 401, .message = "The Authorization header is not Bearer."},
    {.code = "invalid_api_key", .http_status = 401, .message = "The API key is missing, wrong or malformed."},
    {.code = "api_key_revoked", .http_status = 401, .message = "The API key has been revoked."},
    {.code = "api_key_expired", .http_status = 401, .message = "The API key has expired."},
    {.code = "account_deactivated", .http_status = 401, .message = "The account of this key is deactivated."},
    {.code = "too_many_auth_failures",
     .http_status = 429,
     .message = "Too many failed authentications from this address.",
     .retry_after = true},
    {.code = "session_not_found", .http_status = 404, .message = "The session does not exist or is not yours."},
    {.code = "session_disabled", .http_status = 403, .message = "The session is disabled."},
    {.code = "session_not_allowed", .http_status = 403, .message = "The key is not allowed to use this session."},
    {.code = "session_not_ready", .http_status = 409, .message = "The session is not connected."},
    {.code = "daily_quota_exceeded",
     .http_status = 429,
     .message = "The daily quota of the plan is used up.",
     .retry_after = true,
     .quota = true},
    {.code = "trial_quota_exceeded",
     .http_status = 429,
     .message = "The trial allowance is used up.",
     .retry_after = true,
     .quota = true},
    {.code = "messaging_service_timeout",
     .http_status = 504,
     .message = "The messaging service timed out.",
     .slot_refunded = true},
    {.code = "messaging_service_unreachable",
     .http_status = 502,
     .message = "The messaging service cannot be reached.",
     .slot_refunded = true},
    {.code = "messaging_service_error",
     .http_status = 502,
     .message = "The messaging service failed.",
     .slot_refunded = true},
    {.code = "service_unavailable",
     .http_status = 503,
     .message = "The service is overloaded, try again later.",
     .retry_after = true,
     .slot_refunded = true},
};

}  // namespace

std::span<const AulmErrorRow> AulmErrorTable() { return kTable; }

const AulmErrorRow* FindAulmError(absl::string_view code) {
  for (const AulmErrorRow& row : kTable) {
    if (row.code == code) return &row;
  }
  return nullptr;
}

std::string AulmErrorBody(absl::string_view code, absl::string_view message) {
  return boost::json::serialize(boost::json::object{{"error", {{"code", ToJson(code)}, {"message", ToJson(message)}}}});
}

}  // namespace aulm::simulator
