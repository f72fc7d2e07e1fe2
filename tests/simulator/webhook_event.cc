#include "tests/simulator/webhook_event.h"

#include <boost/json.hpp>

#include "tests/simulator/timestamps.h"

namespace aulm::simulator {

namespace json = boost::json;

std::string WebhookBody(const InboundMessage& message) {
  json::object body{
      {"event", "inbound_message"}, {"delivery_id", message.delivery_id}, {"session_id", message.session_id},
      {"from", message.from},       {"message_id", message.message_id},   {"type", message.type},
  };
  if (message.type == "text" || !message.body.empty()) body["body"] = message.body;
  body["received_at"] = Iso8601(message.received_at);
  if (message.test) body["test"] = true;
  return json::serialize(body);
}

std::string WebhookBody(const MessageStatus& status) {
  json::object body{
      {"event", "message_status"},
      {"delivery_id", status.delivery_id},
      {"session_id", status.session_id},
      {"message_id", status.message_id},
      {"status", status.status},
      {"to", status.to},
      {"occurred_at", Iso8601(status.occurred_at)},
  };
  if (status.test) body["test"] = true;
  return json::serialize(body);
}

}  // namespace aulm::simulator
