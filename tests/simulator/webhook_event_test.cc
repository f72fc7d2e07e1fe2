#include "tests/simulator/webhook_event.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

namespace aulm::simulator {
namespace {

const absl::Time kTime = absl::FromUnixMillis(1'779'963'342'007);

// The examples of the API page, with their own values.
TEST(WebhookEventTest, AnInboundMessageReadsAsDocumented) {
  InboundMessage message;
  message.delivery_id = "d";
  message.session_id = "s";
  message.from = "+966512345678";
  message.message_id = "m";
  message.body = "hi";
  message.received_at = kTime;
  EXPECT_EQ(WebhookBody(message),
            R"({"event":"inbound_message","delivery_id":"d","session_id":"s","from":"+966512345678",)"
            R"("message_id":"m","type":"text","body":"hi","received_at":"2026-05-28T10:15:42.007Z"})");
}

TEST(WebhookEventTest, AMessageStatusReadsAsDocumented) {
  MessageStatus status;
  status.delivery_id = "d";
  status.session_id = "s";
  status.message_id = "m";
  status.status = "delivered";
  status.to = "+966512345678";
  status.occurred_at = kTime;
  status.test = true;
  EXPECT_EQ(WebhookBody(status),
            R"({"event":"message_status","delivery_id":"d","session_id":"s","message_id":"m","status":"delivered",)"
            R"("to":"+966512345678","occurred_at":"2026-05-28T10:15:42.007Z","test":true})");
}

TEST(WebhookEventTest, AnyTextComesBackFromItsJson) {
  InboundMessage message;
  for (int c = 0; c < 0x80; ++c) message.body.push_back(static_cast<char>(c));
  message.body += "\xD8\xB3\xF0\x9F\x98\x80";
  message.received_at = kTime;
  EXPECT_EQ(boost::json::parse(WebhookBody(message)).at("body").as_string(), message.body);
}

TEST(WebhookEventTest, AnImageWithoutTextHasNoBody) {
  InboundMessage message;
  message.type = "image";
  message.received_at = kTime;
  EXPECT_FALSE(boost::json::parse(WebhookBody(message)).as_object().contains("body"));
}

}  // namespace
}  // namespace aulm::simulator
