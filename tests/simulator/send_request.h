#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// The body of a send, checked.
struct SendRequest {
  enum class Kind { kText, kImage };

  Kind kind = Kind::kText;
  std::string session_id;
  std::string to;    // E.164
  std::string text;  // the body of a text, the caption of an image (empty when it has none)
};

// Why a body is refused: `invalid_json` or `invalid_request`.
struct SendRefusal {
  absl::string_view code;
  std::string message;
};

// Reads and checks a body against the documented fields of its kind into `request`; nothing when it is good. Characters
// are Unicode code points. Unknown fields are ignored. `max_image_bytes` counts the raw bytes of a data URI.
std::optional<SendRefusal> ParseSendRequest(SendRequest::Kind kind, absl::string_view body, size_t max_image_bytes,
                                            SendRequest& request);

// `+`, a digit from 1 to 9, then digits: at most 20 characters.
bool IsE164(absl::string_view number);

}  // namespace aulm::simulator
