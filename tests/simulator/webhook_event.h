#pragma once

#include <string>

#include "absl/time/time.h"

namespace aulm::simulator {

// A message that somebody wrote to a session (aulm API, "Webhooks").
struct InboundMessage {
  std::string delivery_id;
  std::string session_id;
  std::string from;
  std::string message_id;
  std::string type = "text";
  std::string body;  // the text when type is text; left out of the JSON otherwise when empty
  absl::Time received_at;
  bool test = false;
};

// What became of a sent message.
struct MessageStatus {
  std::string delivery_id;
  std::string session_id;
  std::string message_id;
  std::string status;  // sent, delivered, read, played or failed
  std::string to;
  absl::Time occurred_at;
  bool test = false;
};

// The JSON bodies, with the fields in the documented order.
std::string WebhookBody(const InboundMessage& message);
std::string WebhookBody(const MessageStatus& status);

}  // namespace aulm::simulator
