#include "tests/simulator/webhook_event.h"

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "tests/simulator/json_string.h"
#include "tests/simulator/timestamps.h"

namespace aulm::simulator {
namespace {

constexpr absl::string_view kTest = R"(,"test":true)";

}  // namespace

std::string WebhookBody(const InboundMessage& message) {
  std::string body = R"({"event":"inbound_message","delivery_id":)";
  AppendJsonString(body, message.delivery_id);
  body.append(R"(,"session_id":)");
  AppendJsonString(body, message.session_id);
  body.append(R"(,"from":)");
  AppendJsonString(body, message.from);
  body.append(R"(,"message_id":)");
  AppendJsonString(body, message.message_id);
  body.append(R"(,"type":)");
  AppendJsonString(body, message.type);
  if (message.type == "text" || !message.body.empty()) {
    body.append(R"(,"body":)");
    AppendJsonString(body, message.body);
  }
  absl::StrAppend(&body, R"(,"received_at":")", Iso8601(message.received_at), "\"", message.test ? kTest : "", "}");
  return body;
}

std::string WebhookBody(const MessageStatus& status) {
  std::string body = R"({"event":"message_status","delivery_id":)";
  AppendJsonString(body, status.delivery_id);
  body.append(R"(,"session_id":)");
  AppendJsonString(body, status.session_id);
  body.append(R"(,"message_id":)");
  AppendJsonString(body, status.message_id);
  body.append(R"(,"status":)");
  AppendJsonString(body, status.status);
  body.append(R"(,"to":)");
  AppendJsonString(body, status.to);
  absl::StrAppend(&body, R"(,"occurred_at":")", Iso8601(status.occurred_at), "\"", status.test ? kTest : "", "}");
  return body;
}

}  // namespace aulm::simulator
