#pragma once

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "service/aulm/image_source.h"
#include "service/aulm/rate_limit.h"

// What goes into aulm's operations and what comes out of them.
namespace aulm::gateway {

// A text to send. The fields have been checked (rpc); they need to live until SendText returns.
struct TextSend {
  absl::string_view session_id;  // UUID
  absl::string_view to;          // E.164
  absl::string_view body;        // UTF-8
};

// An image to send. As above.
struct ImageSend {
  absl::string_view session_id;
  absl::string_view to;
  const ImageSource& image;
  absl::string_view caption;  // none when empty
};

// aulm took the message (its 201).
struct SendResult {
  std::string message_id;  // the engine's, or "sim_…"
  std::string session_id;
  std::string to;
  std::string status;  // aulm's own word, such as "sent"
  bool simulated = false;
  std::string aulm_request_id;  // x-request-id, else the body's; may be empty
  std::optional<RateLimit> rate_limit;
};

// A session's state, from aulm's cache.
struct SessionStatus {
  std::string session_id;
  std::string status;  // aulm's own word, such as "connected"
  std::string aulm_request_id;
};

}  // namespace aulm::gateway
