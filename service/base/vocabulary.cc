#include "service/base/vocabulary.h"

namespace aulm::gateway {

v1::MessageStatus MessageStatusOf(absl::string_view word) {
  if (word == "sent") return v1::MESSAGE_STATUS_SENT;
  if (word == "delivered") return v1::MESSAGE_STATUS_DELIVERED;
  if (word == "read") return v1::MESSAGE_STATUS_READ;
  if (word == "played") return v1::MESSAGE_STATUS_PLAYED;
  if (word == "failed") return v1::MESSAGE_STATUS_FAILED;
  return v1::MESSAGE_STATUS_UNSPECIFIED;
}

v1::SessionState SessionStateOf(absl::string_view word) {
  if (word == "connected") return v1::SESSION_STATE_CONNECTED;
  if (word == "disconnected") return v1::SESSION_STATE_DISCONNECTED;
  if (word == "awaiting_scan") return v1::SESSION_STATE_AWAITING_SCAN;
  return v1::SESSION_STATE_OTHER;
}

v1::EventType EventTypeOf(absl::string_view word) {
  if (word == "inbound_message") return v1::EVENT_TYPE_INBOUND_MESSAGE;
  if (word == "message_status") return v1::EVENT_TYPE_MESSAGE_STATUS;
  return v1::EVENT_TYPE_UNKNOWN;
}

}  // namespace aulm::gateway
