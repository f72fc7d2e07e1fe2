#include "tests/clients/cpp/facts.h"

#include <string>

#include "absl/strings/strip.h"

namespace aulm::gateway::conformance {
namespace {

std::string Bare(const std::string& name, const char* prefix) { return std::string(absl::StripPrefix(name, prefix)); }

const char* OutcomeName(client::Outcome outcome) {
  switch (outcome) {
    case client::Outcome::kNone:
      return "none";
    case client::Outcome::kNotSent:
      return "not_sent";
    case client::Outcome::kUnknown:
      return "unknown";
  }
  return "";
}

bool Present(const boost::json::value& value) {
  if (value.is_string()) return !value.as_string().empty();
  if (value.is_int64()) return value.as_int64() != 0;
  return !value.is_null();
}

}  // namespace

boost::json::value FactsOf(const client::CallError& error) {
  boost::json::array fields;
  for (const client::CallError::Violation& violation : error.field_violations) fields.emplace_back(violation.subject);
  boost::json::object facts = {
      {"code", client::CodeName(error.code)},
      {"reason", error.reason},
      {"domain", error.domain},
      {"outcome", OutcomeName(error.outcome)},
      {"retry_after", absl::ToInt64Milliseconds(error.retry_after.value_or(absl::ZeroDuration()))},
      {"request_id", error.request_id},
      {"aulm_request_id", error.aulm_request_id},
      {"fields", fields},
      {"preconditions", static_cast<int64_t>(error.precondition_violations.size())},
      {"earliest_cursor", error.earliest_cursor}};
  if (error.quota.has_value()) {
    facts["quota"] = {{"limit", error.quota->limit()}, {"remaining", error.quota->remaining()}};
  }
  return facts;
}

boost::json::value FactsOf(const v1::Session& session) {
  return {{"aulm_state", session.aulm_state()},
          {"state", Bare(v1::SessionState_Name(session.state()), "SESSION_STATE_")}};
}

boost::json::value FactsOf(const v1::SentMessage& message, const v1::RateLimit& limit, bool replayed) {
  return {{"message_id", message.message_id()},
          {"session_id", message.session_id()},
          {"to", message.to()},
          {"status", Bare(v1::MessageStatus_Name(message.status()), "MESSAGE_STATUS_")},
          {"simulated", message.simulated()},
          {"request_id", message.request_id()},
          {"aulm_request_id", message.aulm_request_id()},
          {"replayed", replayed},
          {"rate_limit", {{"limit", limit.limit()}, {"remaining", limit.remaining()}}}};
}

bool Fits(const boost::json::value& seen, const boost::json::value& expected) {
  if (expected.is_string() && expected.as_string() == "present") return Present(seen);
  if (!expected.is_object()) return seen == expected;
  for (const auto& field : expected.as_object()) {
    const boost::json::value* value = seen.is_object() ? seen.as_object().if_contains(field.key()) : nullptr;
    if (value == nullptr || !Fits(*value, field.value())) return false;
  }
  return true;
}

}  // namespace aulm::gateway::conformance
