#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "service/aulm/aulm_operations.h"
#include "service/aulm/http_transport.h"

// aulm's JSON, written and read (aulm API). Reading ignores fields that it does not know, replaces what is not UTF-8,
// and takes at most 32 levels of nesting.
namespace aulm::gateway {

// {"session_id", "to", "body"}.
std::string SendTextJson(const TextSend& send);

// {"session_id", "to", "image", "caption"}; bytes become a data URI, encoded straight into the result.
std::string SendImageJson(const ImageSend& send);

// {"data": {"message_id", "session_id", "to", "status", "simulated"}, "request_id"} and the headers. The message id is
// what makes it readable; a session or number that is missing is the request's own. nullopt when it cannot be read.
std::optional<SendResult> ReadSendResult(const HttpResponse& response, absl::string_view session_id,
                                         absl::string_view to);

// {"data": {"session_id", "status"}, "request_id"}. nullopt without a status.
std::optional<SessionStatus> ReadSessionStatus(const HttpResponse& response, absl::string_view session_id);

// {"error": {"code", "message"}}.
struct AulmErrorBody {
  std::string code;  // 1 to 63 bytes with a letter among them
  std::string message;
  std::string request_id;  // where the body names one
};

// nullopt when the body is not aulm's error JSON.
std::optional<AulmErrorBody> ReadErrorBody(absl::string_view body);

}  // namespace aulm::gateway
