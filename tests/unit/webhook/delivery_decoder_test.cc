#include "service/webhook/delivery_decoder.h"

#include <string>

#include "aulm/gateway/v1/event.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/webhook/delivery_fixture.h"

namespace aulm::gateway {
namespace {

constexpr char kInbound[] =
    R"({"event": "inbound_message", "delivery_id": "d-1", "session_id": "s-1", "from": "+966512345678",)"
    R"( "message_id": "m-1", "type": "text", "body": "hi", "received_at": "2026-05-28T10:15:42.250Z"})";
constexpr char kStatus[] =
    R"({"event": "message_status", "delivery_id": "d-2", "session_id": "s-1", "message_id": "m-2",)"
    R"( "status": "delivered", "to": "+966512345678", "occurred_at": "2026-05-28T10:15:43.000Z"})";

struct Decoded {
  DecodedDelivery delivery;
  v1::Event event;
};

Decoded Decode(Delivery& delivery) {
  Decoded decoded;
  decoded.delivery = DecodeDelivery("shop", delivery.request());
  EXPECT_TRUE(decoded.event.ParseFromString(decoded.delivery.event.event));
  return decoded;
}

Decoded Decode(std::string body) {
  Delivery delivery(std::move(body));
  return Decode(delivery);
}

TEST(DeliveryDecoderTest, InboundMessageIsTyped) {
  const Decoded decoded = Decode(kInbound);
  const v1::Event& event = decoded.event;
  EXPECT_EQ(event.account(), "shop");
  EXPECT_EQ(event.delivery_id(), "d-1");
  EXPECT_EQ(event.session_id(), "s-1");
  EXPECT_EQ(event.type(), v1::EVENT_TYPE_INBOUND_MESSAGE);
  EXPECT_EQ(event.event_name(), "inbound_message");
  EXPECT_EQ(event.occurred_time().seconds(), 1779963342);
  EXPECT_EQ(event.occurred_time().nanos(), 250'000'000);
  EXPECT_FALSE(event.test());
  EXPECT_EQ(event.inbound_message().from(), "+966512345678");
  EXPECT_EQ(event.inbound_message().message_id(), "m-1");
  EXPECT_EQ(event.inbound_message().message_type(), "text");
  EXPECT_EQ(event.inbound_message().body(), "hi");
}

TEST(DeliveryDecoderTest, AttributesOfAnInboundMessage) {
  const NewEvent event = Decode(kInbound).delivery.event;
  EXPECT_EQ(event.account, "shop");
  EXPECT_EQ(event.session_id, "s-1");
  EXPECT_EQ(event.peer, "+966512345678");
  EXPECT_EQ(event.message_id, "m-1");
  EXPECT_EQ(event.type, v1::EVENT_TYPE_INBOUND_MESSAGE);
  EXPECT_EQ(event.status, 0);
  EXPECT_FALSE(event.test);
  EXPECT_EQ(event.delivery_id, "d-1");
  EXPECT_EQ(event.raw_body, kInbound);
}

TEST(DeliveryDecoderTest, MessageStatusIsTyped) {
  const Decoded decoded = Decode(kStatus);
  const v1::Event& event = decoded.event;
  EXPECT_EQ(event.type(), v1::EVENT_TYPE_MESSAGE_STATUS);
  EXPECT_EQ(event.occurred_time().seconds(), 1779963343);
  EXPECT_EQ(event.message_status().message_id(), "m-2");
  EXPECT_EQ(event.message_status().to(), "+966512345678");
  EXPECT_EQ(event.message_status().status(), v1::MESSAGE_STATUS_DELIVERED);
  EXPECT_EQ(event.message_status().aulm_status(), "delivered");
  EXPECT_EQ(decoded.delivery.event.peer, "+966512345678");
  EXPECT_EQ(decoded.delivery.event.message_id, "m-2");
  EXPECT_EQ(decoded.delivery.event.status, v1::MESSAGE_STATUS_DELIVERED);
  EXPECT_FALSE(decoded.delivery.unknown);
}

TEST(DeliveryDecoderTest, EveryDocumentedStatusHasItsValue) {
  const std::pair<const char*, v1::MessageStatus> statuses[] = {{"sent", v1::MESSAGE_STATUS_SENT},
                                                                {"delivered", v1::MESSAGE_STATUS_DELIVERED},
                                                                {"read", v1::MESSAGE_STATUS_READ},
                                                                {"played", v1::MESSAGE_STATUS_PLAYED},
                                                                {"failed", v1::MESSAGE_STATUS_FAILED}};
  for (const auto& [word, status] : statuses) {
    const Decoded decoded = Decode(absl::StrCat(R"({"event": "message_status", "status": ")", word, R"("})"));
    EXPECT_EQ(decoded.event.message_status().status(), status) << word;
  }
}

TEST(DeliveryDecoderTest, UnknownStatusKeepsItsWord) {
  const Decoded decoded = Decode(R"({"event": "message_status", "status": "teleported"})");
  EXPECT_EQ(decoded.event.type(), v1::EVENT_TYPE_MESSAGE_STATUS);
  EXPECT_EQ(decoded.event.message_status().status(), v1::MESSAGE_STATUS_UNSPECIFIED);
  EXPECT_EQ(decoded.event.message_status().aulm_status(), "teleported");
}

TEST(DeliveryDecoderTest, UnknownFieldsChangeNothing) {
  const Decoded decoded =
      Decode(R"({"event": "inbound_message", "from": "+1", "new": {"deep": [1, 2]}, "body": "hi"})");
  EXPECT_EQ(decoded.event.inbound_message().from(), "+1");
  EXPECT_FALSE(decoded.delivery.unknown);
}

TEST(DeliveryDecoderTest, FieldsOfTheWrongTypeCountAsAbsent) {
  const Decoded decoded =
      Decode(R"({"event": "inbound_message", "delivery_id": null, "session_id": ["s"], "from": {"number": "+1"},)"
             R"( "message_id": true, "type": 3, "body": ["hi"], "received_at": 1779963342, "test": "true"})");
  const v1::Event& event = decoded.event;
  EXPECT_EQ(event.type(), v1::EVENT_TYPE_INBOUND_MESSAGE);
  EXPECT_TRUE(event.has_inbound_message());
  EXPECT_EQ(event.delivery_id(), "");
  EXPECT_EQ(event.session_id(), "");
  EXPECT_EQ(event.inbound_message().from(), "");
  EXPECT_EQ(event.inbound_message().message_id(), "");
  EXPECT_EQ(event.inbound_message().message_type(), "");
  EXPECT_EQ(event.inbound_message().body(), "");
  EXPECT_FALSE(event.has_occurred_time());
  EXPECT_FALSE(event.test());
}

TEST(DeliveryDecoderTest, NumbersWhereNamesStandAreTheirDigits) {
  const Decoded decoded =
      Decode(R"({"event": "message_status", "delivery_id": 17, "message_id": 18, "to": 966512345678})");
  EXPECT_EQ(decoded.event.delivery_id(), "17");
  EXPECT_EQ(decoded.delivery.event.delivery_id, "17");
  EXPECT_EQ(decoded.event.message_status().message_id(), "18");
  EXPECT_EQ(decoded.event.message_status().to(), "966512345678");
}

TEST(DeliveryDecoderTest, TestDeliveryIsMarked) {
  const Decoded decoded = Decode(R"({"event": "inbound_message", "test": true})");
  EXPECT_TRUE(decoded.event.test());
  EXPECT_TRUE(decoded.delivery.event.test);
}

TEST(DeliveryDecoderTest, UnknownEventIsKeptRaw) {
  const std::string body =
      R"({"event": "session_banned", "delivery_id": "d-3", "session_id": "s-1", "to": "+1", "message_id": "m",)"
      R"( "occurred_at": "2026-05-28T10:15:43Z"})";
  const Decoded decoded = Decode(body);
  EXPECT_TRUE(decoded.delivery.unknown);
  EXPECT_EQ(decoded.event.type(), v1::EVENT_TYPE_UNKNOWN);
  EXPECT_TRUE(decoded.event.has_unknown());
  EXPECT_EQ(decoded.event.event_name(), "session_banned");
  EXPECT_EQ(decoded.event.delivery_id(), "d-3");
  EXPECT_EQ(decoded.event.session_id(), "s-1");
  EXPECT_TRUE(decoded.event.has_occurred_time());
  EXPECT_EQ(decoded.delivery.event.raw_body, body);
  EXPECT_EQ(decoded.delivery.event.peer, "+1") << "what can be found of it keeps it in its conversation";
  EXPECT_EQ(decoded.delivery.event.message_id, "m");
}

TEST(DeliveryDecoderTest, GatewaysOwnEventNameFromOutsideIsUnknown) {
  EXPECT_EQ(Decode(R"({"event": "session_state"})").event.type(), v1::EVENT_TYPE_UNKNOWN);
}

TEST(DeliveryDecoderTest, BodyThatIsNoObjectIsUnknownUnderTheHeadersName) {
  for (const char* body : {"", "not json", "[1]", "\"inbound_message\"", "{\"event\": \"inbound_message\""}) {
    Delivery delivery(body);
    delivery.With("X-Aulm-event", "inbound_message").With("x-aulm-delivery-id", "d-4");
    const Decoded decoded = Decode(delivery);
    EXPECT_EQ(decoded.event.type(), v1::EVENT_TYPE_UNKNOWN) << body;
    EXPECT_EQ(decoded.event.event_name(), "inbound_message");
    EXPECT_EQ(decoded.delivery.event.delivery_id, "d-4");
    EXPECT_EQ(decoded.delivery.event.raw_body, body);
    EXPECT_FALSE(decoded.delivery.event_disagrees);
  }
}

TEST(DeliveryDecoderTest, SignedBodyWinsOverTheHeaders) {
  Delivery delivery(kInbound);
  delivery.With("X-Aulm-Event", "message_status").With("X-Aulm-Delivery-Id", "other");
  const Decoded decoded = Decode(delivery);
  EXPECT_EQ(decoded.event.type(), v1::EVENT_TYPE_INBOUND_MESSAGE);
  EXPECT_EQ(decoded.event.delivery_id(), "d-1");
  EXPECT_EQ(decoded.delivery.event.delivery_id, "d-1");
  EXPECT_TRUE(decoded.delivery.event_disagrees);
  EXPECT_TRUE(decoded.delivery.delivery_id_disagrees);
}

TEST(DeliveryDecoderTest, HeadersThatAgreeAreNoDisagreement) {
  Delivery delivery(kInbound);
  delivery.With("X-Aulm-Event", "inbound_message").With("X-Aulm-Delivery-Id", "d-1");
  const Decoded decoded = Decode(delivery);
  EXPECT_FALSE(decoded.delivery.event_disagrees);
  EXPECT_FALSE(decoded.delivery.delivery_id_disagrees);
}

TEST(DeliveryDecoderTest, HeadersStandInForWhatTheBodyLeavesOut) {
  Delivery delivery(R"({"from": "+1", "event": ""})");
  delivery.With("X-Aulm-Event", "inbound_message").With("X-Aulm-Delivery-Id", "d-5");
  const Decoded decoded = Decode(delivery);
  EXPECT_EQ(decoded.event.type(), v1::EVENT_TYPE_INBOUND_MESSAGE);
  EXPECT_EQ(decoded.delivery.event.delivery_id, "d-5");
  EXPECT_FALSE(decoded.delivery.event_disagrees);
}

TEST(DeliveryDecoderTest, DeliveryWithoutAnyIdIsNeverDeduplicated) {
  EXPECT_EQ(Decode(R"({"event": "inbound_message"})").delivery.event.delivery_id, "");
}

TEST(DeliveryDecoderTest, AttemptAndTraceparentComeFromTheHeaders) {
  const std::string trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  Delivery delivery(kInbound);
  delivery.With("X-Aulm-Attempt", "3").With("Traceparent", trace);
  const Decoded decoded = Decode(delivery);
  EXPECT_EQ(decoded.event.aulm_attempt(), 3u);
  EXPECT_EQ(decoded.event.traceparent(), trace);
}

TEST(DeliveryDecoderTest, FirstAttemptCannotHaveComeBeforeItsEvent) {
  Delivery delivery(kStatus);
  delivery.With("X-Aulm-Attempt", "1");
  EXPECT_EQ(Decode(delivery).delivery.event.not_before, absl::FromUnixSeconds(1779963343));
}

TEST(DeliveryDecoderTest, LaterAttemptsAndUndatedOnesMayHaveComeAtAnyTime) {
  Delivery second(kStatus);
  second.With("X-Aulm-Attempt", "2");
  EXPECT_EQ(Decode(second).delivery.event.not_before, absl::InfinitePast());
  EXPECT_EQ(Decode(kStatus).delivery.event.not_before, absl::InfinitePast());
  Delivery undated(R"({"event": "message_status", "delivery_id": "d-2", "status": "read"})");
  undated.With("X-Aulm-Attempt", "1");
  EXPECT_EQ(Decode(undated).delivery.event.not_before, absl::InfinitePast());
}

TEST(DeliveryDecoderTest, BrokenAttemptAndTraceparentAreAbsent) {
  Delivery delivery(kInbound);
  delivery.With("X-Aulm-Attempt", "third").With("Traceparent", "00-x");
  const Decoded decoded = Decode(delivery);
  EXPECT_EQ(decoded.event.aulm_attempt(), 0u);
  EXPECT_EQ(decoded.event.traceparent(), "");
}

TEST(DeliveryDecoderTest, TextThatIsNoUtf8IsRepairedAndTheBodyKept) {
  const std::string body =
      "{\"event\": \"inbound_message\", \"delivery_id\": \"d\", \"from\": \"+1\xFF\", \"body\": \"\xC3\"}";
  const Decoded decoded = Decode(body);
  EXPECT_EQ(decoded.event.inbound_message().from(), "+1\xEF\xBF\xBD");
  EXPECT_EQ(decoded.event.inbound_message().body(), "\xEF\xBF\xBD");
  EXPECT_EQ(decoded.delivery.event.delivery_id, "d");
  EXPECT_EQ(decoded.delivery.event.raw_body, body);
}

TEST(DeliveryDecoderTest, HeadersThatAreNoUtf8AreRepaired) {
  Delivery delivery("no json");
  delivery.With("X-Aulm-event", "a\xFF").With("x-aulm-delivery-id", "b\xFF");
  const Decoded decoded = Decode(delivery);
  EXPECT_EQ(decoded.event.event_name(), "a\xEF\xBF\xBD");
  EXPECT_EQ(decoded.event.delivery_id(), "b\xEF\xBF\xBD");
  EXPECT_EQ(decoded.delivery.event.delivery_id, "") << "better an event twice than one lost to another's repaired id";
}

TEST(DeliveryDecoderTest, RepairedIdIsNoDeduplicationKey) {
  const Decoded decoded = Decode("{\"event\": \"inbound_message\", \"delivery_id\": \"d\xFF\"}");
  EXPECT_EQ(decoded.event.delivery_id(), "d\xEF\xBF\xBD");
  EXPECT_EQ(decoded.delivery.event.delivery_id, "");
}

TEST(DeliveryDecoderTest, OverlongNamesHaveShortKeys) {
  const std::string name(2000, 'x');
  const Decoded decoded =
      Decode(absl::StrCat(R"({"event": "message_status", "delivery_id": ")", name, R"(", "to": ")", name, R"("})"));
  EXPECT_EQ(decoded.event.delivery_id(), name);
  EXPECT_THAT(decoded.delivery.event.delivery_id, testing::StartsWith("sha256:"));
  EXPECT_THAT(decoded.delivery.event.peer, testing::StartsWith("sha256:"));
  EXPECT_EQ(decoded.delivery.event.delivery_id.size(), 71u);
}

TEST(DeliveryDecoderTest, StoredEventLeavesOutWhatReadingAdds) {
  const Decoded decoded = Decode(kStatus);
  EXPECT_EQ(decoded.event.cursor(), "");
  EXPECT_FALSE(decoded.event.has_ingested_time());
  EXPECT_EQ(decoded.event.raw_body(), "");
}

}  // namespace
}  // namespace aulm::gateway
