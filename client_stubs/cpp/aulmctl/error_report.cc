#include "client_stubs/cpp/aulmctl/error_report.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client_stubs/cpp/aulmctl/json_line.h"
#include "client_stubs/cpp/aulmctl/terminal_text.h"
#include "google/protobuf/wrappers.pb.h"

namespace aulm::gateway::ctl {
namespace {

using client::CallError;
using client::Outcome;

// Named facts in the order in which they are shown.
using Facts = std::vector<std::pair<std::string, std::string>>;

const char* OutcomeText(Outcome outcome) { return outcome == Outcome::kNotSent ? "not_sent" : "unknown"; }

ExitCode Meaning(const CallError& error, CallKind kind) {
  if (kind == CallKind::kSend && client::SendOutcome(error) == Outcome::kUnknown) return ExitCode::kOutcomeUnknown;
  switch (error.code) {
    case grpc::StatusCode::UNAVAILABLE:
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
    case grpc::StatusCode::DEADLINE_EXCEEDED:
    case grpc::StatusCode::ABORTED:
      return ExitCode::kTryLater;
    default:
      return ExitCode::kFailed;
  }
}

std::string WhatToDo(const CallError& error, CallKind kind, const GlobalFlags& globals) {
  if (kind == CallKind::kSend && client::SendOutcome(error) == Outcome::kUnknown) {
    std::string advice = "it may have been sent: find out before you send it anew";
    if (error.request_id.empty()) return advice;
    // A transfer that outlives its call is settled a little later.
    absl::StrAppend(&advice, ". With --request-id ", error.request_id,
                    " it is never sent twice: that tells whether the outcome is known by now");
    return advice;
  }
  if (!error.earliest_cursor.empty()) {
    return absl::StrCat("the log starts at --from cursor:", absl::WebSafeBase64Escape(error.earliest_cursor),
                        " (the same as --from earliest); what came before is gone");
  }
  if (error.code == grpc::StatusCode::UNAVAILABLE && error.reason.empty()) {
    return absl::StrCat("is the gateway running at ", globals.gateway, "? See --gateway and the --tls flags");
  }
  if (error.code == grpc::StatusCode::UNAUTHENTICATED) return "give this caller's token with --token-file";
  if (error.code == grpc::StatusCode::DEADLINE_EXCEEDED) return "a longer --timeout may help";
  if (error.retry_after.has_value()) return absl::StrCat("repeat in ", DurationText(*error.retry_after));
  return "";
}

// True where the message, made for developers who see nothing else, says what a detail says too.
bool MessageSays(const CallError& error, const std::string& text) { return absl::StrContains(error.message, text); }

bool MessageOnlyListsFields(const CallError& error) {
  return !error.field_violations.empty() &&
         std::all_of(error.field_violations.begin(), error.field_violations.end(),
                     [&](const CallError::Violation& field) { return MessageSays(error, field.description); });
}

void AppendViolations(const char* name, const std::vector<CallError::Violation>& violations, Facts& facts) {
  for (const CallError::Violation& violation : violations) {
    facts.emplace_back(name, violation.subject.empty() ? violation.description
                                                       : absl::StrCat(violation.subject, ": ", violation.description));
  }
}

Facts FactsOf(const CallError& error, CallKind kind, const GlobalFlags& globals) {
  Facts facts;
  if (kind == CallKind::kSend) facts.emplace_back("outcome", OutcomeText(client::SendOutcome(error)));
  AppendViolations("field", error.field_violations, facts);
  const auto append_news = [&](const char* name, std::vector<CallError::Violation> violations) {
    std::erase_if(violations, [&](const auto& violation) { return MessageSays(error, violation.description); });
    AppendViolations(name, violations, facts);
  };
  append_news("needs", error.precondition_violations);
  append_news("quota", error.quota_violations);
  if (error.quota.has_value()) {
    facts.emplace_back("quota", absl::StrCat(error.quota->remaining(), " of ", error.quota->limit(), " left, resets ",
                                             TimeText(error.quota->reset_time())));
  }
  if (!MessageSays(error, error.resource_description)) facts.emplace_back("about", error.resource_description);
  facts.emplace_back("request id", error.request_id);
  facts.emplace_back("aulm's id", error.aulm_request_id);
  facts.emplace_back("what to do", WhatToDo(error, kind, globals));
  return facts;
}

void PrintForPeople(const CallError& error, CallKind kind, const GlobalFlags& globals) {
  std::string text = absl::StrCat("aulmctl: ", client::CodeName(error.code));
  if (!error.reason.empty()) absl::StrAppend(&text, " ", error.reason, " (", error.domain, ")");
  absl::StrAppend(&text, ": ", MessageOnlyListsFields(error) ? "" : OneLine(error.message), "\n");
  for (const auto& [name, value] : FactsOf(error, kind, globals)) {
    if (!value.empty()) absl::StrAppendFormat(&text, "  %-12s%s\n", name, OneLine(value));
  }
  std::fputs(text.c_str(), stderr);
}

// A JSON string or number, escaped as proto JSON does.
std::string Json(const std::string& text) {
  google::protobuf::StringValue value;
  value.set_value(text);
  return JsonLine(value);
}
std::string Json(double number) {
  google::protobuf::DoubleValue value;
  value.set_value(number);
  return JsonLine(value);
}

// An object of members that are JSON already; those without a value are left out.
std::string JsonObject(const Facts& members) {
  std::vector<std::string> parts;
  for (const auto& [name, value] : members) {
    if (!value.empty()) parts.push_back(absl::StrCat(Json(name), ":", value));
  }
  return absl::StrCat("{", absl::StrJoin(parts, ","), "}");
}

std::string JsonViolations(const std::vector<CallError::Violation>& violations) {
  if (violations.empty()) return "";
  std::vector<std::string> objects;
  objects.reserve(violations.size());
  for (const CallError::Violation& violation : violations) {
    objects.push_back(JsonObject({{"subject", Json(violation.subject)}, {"description", Json(violation.description)}}));
  }
  return absl::StrCat("[", absl::StrJoin(objects, ","), "]");
}

void PrintJson(const CallError& error, CallKind kind) {
  const auto given = [](const std::string& text) { return text.empty() ? "" : Json(text); };
  Facts members = {{"code", Json(client::CodeName(error.code))},
                   {"reason", given(error.reason)},
                   {"domain", given(error.domain)},
                   {"outcome", kind == CallKind::kSend ? Json(OutcomeText(client::SendOutcome(error))) : ""},
                   {"message", given(error.message)},
                   {"requestId", given(error.request_id)},
                   {"aulmRequestId", given(error.aulm_request_id)},
                   {"fieldViolations", JsonViolations(error.field_violations)},
                   {"preconditionViolations", JsonViolations(error.precondition_violations)},
                   {"quotaViolations", JsonViolations(error.quota_violations)},
                   {"earliestCursor", given(absl::WebSafeBase64Escape(error.earliest_cursor))}};
  if (error.retry_after.has_value()) {
    members.emplace_back("retryAfterSeconds", Json(absl::ToDoubleSeconds(*error.retry_after)));
  }
  if (error.quota.has_value()) members.emplace_back("quota", JsonLine(*error.quota));
  std::fputs(absl::StrCat(JsonObject({{"error", JsonObject(members)}}), "\n").c_str(), stderr);
}

}  // namespace

ExitCode ReportCallError(const CallError& error, CallKind kind, const GlobalFlags& globals) {
  if (globals.json) {
    PrintJson(error, kind);
  } else {
    PrintForPeople(error, kind, globals);
  }
  return Meaning(error, kind);
}

ExitCode ReportUsage(absl::string_view problem) {
  std::fputs(absl::StrCat("aulmctl: ", problem, "\n").c_str(), stderr);
  return ExitCode::kUsage;
}

ExitCode ReportUnwritableOutput() {
  std::fputs(absl::StrCat("aulmctl: cannot write the output: ", std::strerror(errno), "\n").c_str(), stderr);
  return ExitCode::kFailed;
}

}  // namespace aulm::gateway::ctl
