#pragma once

#include "absl/strings/string_view.h"
#include "aulm/gateway/v1/event.pb.h"
#include "aulm/gateway/v1/message.pb.h"
#include "aulm/gateway/v1/session.pb.h"

namespace aulm::gateway {

// aulm's words and the contract's values for them. Words are compared to the letter; one that is not known maps to the
// value that says so, and its bearer keeps the word itself.

// "sent", "delivered", "read", "played", "failed" (aulm API, "message_status"); else MESSAGE_STATUS_UNSPECIFIED.
v1::MessageStatus MessageStatusOf(absl::string_view word);

// "connected", "disconnected", "awaiting_scan" (aulm API, "sessions"); else SESSION_STATE_OTHER.
v1::SessionState SessionStateOf(absl::string_view word);

// "inbound_message", "message_status" (aulm API, "Webhooks"); else EVENT_TYPE_UNKNOWN.
v1::EventType EventTypeOf(absl::string_view word);

}  // namespace aulm::gateway
