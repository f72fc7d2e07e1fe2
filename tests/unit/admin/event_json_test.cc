#include "service/admin/event_json.h"

#include "absl/time/time.h"
#include "aulm/gateway/v1/event.pb.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

v1::Event Inbound() {
  v1::Event event;
  event.set_account("default");
  event.set_session_id("00000000-0000-4000-8000-000000000001");
  event.set_type(v1::EVENT_TYPE_INBOUND_MESSAGE);
  event.set_event_name("inbound_message");
  event.set_delivery_id("d-1");
  event.mutable_inbound_message()->set_from("+966512345678");
  event.mutable_inbound_message()->set_message_id("true_966512345678@c.us_1");
  event.mutable_inbound_message()->set_message_type("text");
  event.mutable_inbound_message()->set_body("meet me at noon");
  (*event.mutable_labels())["order"] = "secret-label";
  return event;
}

std::string Write(const v1::Event& event) {
  const std::string bytes = event.SerializeAsString();
  LoggedEvent logged;
  logged.sequence = 7;
  logged.ingested = absl::FromUnixMillis(1000);
  logged.event = bytes;
  return WriteEvent(logged);
}

TEST(EventJsonTest, TellsWhatHappenedWithTheNumberMasked) {
  const std::string json = Write(Inbound());
  EXPECT_THAT(json, HasSubstr(R"("kind":"message")"));
  EXPECT_THAT(json, HasSubstr(R"("what":"text")"));
  EXPECT_THAT(json, HasSubstr("\"peer\":\"+966…78\""));
  EXPECT_THAT(json, HasSubstr(R"("sequence":7,"at":1000)"));
}

TEST(EventJsonTest, NeverTellsABodyALabelOrAWholeNumber) {
  const std::string json = Write(Inbound());
  EXPECT_THAT(json, Not(HasSubstr("noon")));
  EXPECT_THAT(json, Not(HasSubstr("secret-label")));
  EXPECT_THAT(json, Not(HasSubstr("512345678")));
}

TEST(EventJsonTest, AnIdThatHoldsMoreThanAnIdIsLeftOut) {
  v1::Event event = Inbound();
  event.set_delivery_id("+966512345678 called");
  EXPECT_THAT(Write(event), HasSubstr(R"("delivery":"")"));
}

TEST(EventJsonTest, WhatNoVersionKnowsIsTextAndOneLine) {
  v1::Event event;
  event.set_event_name(std::string("group\n\"joined\"\xff") + std::string(200, 'x'));
  const std::string json = Write(event);
  EXPECT_THAT(json, HasSubstr(R"("kind":"unknown","name":"group\n\"joined\"�xx)"));
  EXPECT_THAT(json, Not(HasSubstr("\n")));
  EXPECT_LT(json.size(), 400u);
}

TEST(EventJsonTest, AParkedEventIsNamedAsAulmctlTakesIt) {
  v1::ListParkedEventsResponse response;
  v1::ParkedEvent& parked = *response.add_parked_events();
  *parked.mutable_event() = Inbound();
  parked.mutable_event()->set_cursor("\xfb\xff cursor");
  parked.set_reason(v1::PARK_REASON_ATTEMPTS);
  parked.set_attempts(3);
  response.set_next_page_token("more");
  const std::string json = WriteParkedEvents(response);
  EXPECT_THAT(json, HasSubstr(R"("cursor":"cursor:-_8gY3Vyc29y")"));
  EXPECT_THAT(json, HasSubstr(R"("attempts":3,"reason":"attempts")"));
  EXPECT_THAT(json, HasSubstr(R"("more":true)"));
  EXPECT_THAT(json, Not(HasSubstr("noon")));
}

}  // namespace
}  // namespace aulm::gateway
