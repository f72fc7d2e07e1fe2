#pragma once

#include <map>
#include <memory>
#include <string>
#include <variant>

#include "absl/time/time.h"
#include "service/aulm/aulm_client.h"
#include "service/aulm/image_source.h"
#include "service/messaging/send_rate.h"

namespace aulm::gateway {

// What SendText says.
struct TextMessage {
  std::string body;  // 1 to 4096 code points of UTF-8
};

// What SendImage says.
struct ImageMessage {
  ImageSource image;
  std::string caption;  // may be empty
};

// A send whose fields have been checked.
struct Send {
  std::string caller;      // who calls: request ids are theirs; empty when callers are not told apart
  std::string session_id;  // UUID
  std::string to;          // E.164
  std::variant<TextMessage, ImageMessage> message;
  std::string request_id;     // the caller's, or one that was made for this call: never empty
  bool generated_id = false;  // the request id was made here: nobody can have used it before
  std::map<std::string, std::string> labels;
  std::string traceparent;         // the caller's; may be empty or malformed: then it is not passed on
  std::shared_ptr<SendRate> rate;  // the caller's; null: it has none of its own
  absl::Time answer_by = absl::InfiniteFuture();
};

// The answer to a send that aulm took.
struct SendAnswer {
  SendResult result;
  bool replayed = false;  // the stored answer of an earlier call with the same request id
};

}  // namespace aulm::gateway
