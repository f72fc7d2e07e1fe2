#include "service/events/subscriptions/subscription_requests.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(1'780'000'000);

v1::CreateSubscriptionRequest Creation(v1::SubscriptionMode mode) {
  v1::CreateSubscriptionRequest request;
  request.mutable_subscription()->set_name("bot");
  request.mutable_subscription()->set_mode(mode);
  return request;
}

TEST(SubscriptionRequestsTest, DefaultsAreFilledIn) {
  const auto checked = CheckRequest(Creation(v1::SUBSCRIPTION_MODE_SHARED), kNow);
  ASSERT_TRUE(checked.ok()) << checked.status();
  EXPECT_EQ(checked->specification.ack_deadline().seconds(), 30);
  EXPECT_EQ(checked->specification.retry_delay().seconds(), 1);
  EXPECT_EQ(checked->specification.parked_retention().seconds(), 7 * 24 * 3600);
  EXPECT_EQ(checked->specification.max_attempts(), 10u);
  EXPECT_TRUE(std::holds_alternative<Latest>(checked->start));
}

TEST(SubscriptionRequestsTest, WhatTheGatewaySetsIsNotTheCallers) {
  v1::CreateSubscriptionRequest request = Creation(v1::SUBSCRIPTION_MODE_SHARED);
  request.mutable_subscription()->mutable_stats()->set_lag_events(5);
  const auto checked = CheckRequest(request, kNow);
  ASSERT_TRUE(checked.ok());
  EXPECT_FALSE(checked->specification.has_stats());
}

TEST(SubscriptionRequestsTest, CursorModeTakesNothingOfSharedMode) {
  v1::CreateSubscriptionRequest request = Creation(v1::SUBSCRIPTION_MODE_CURSOR);
  request.mutable_subscription()->mutable_ack_deadline()->set_seconds(5);
  request.mutable_subscription()->set_max_attempts(5);
  EXPECT_THAT(BadFieldsOf(CheckRequest(request, kNow).status()), ElementsAre("ack_deadline", "max_attempts"));
}

TEST(SubscriptionRequestsTest, AFilterThatIsTooLargeToKeepIsNamed) {
  v1::CreateSubscriptionRequest request = Creation(v1::SUBSCRIPTION_MODE_SHARED);
  for (int i = 0; i < 1000; ++i)
    request.mutable_subscription()->mutable_filter()->add_message_ids(std::string(60, 'm'));
  EXPECT_THAT(BadFieldsOf(CheckRequest(request, kNow).status()), ElementsAre("filter"));
}

TEST(SubscriptionRequestsTest, NamesAreOfALimitedAlphabet) {
  for (const char* const good : {"a", "0", "bot-1.replies_eu"}) {
    EXPECT_TRUE(CheckSubscriptionName(good, "name").ok()) << good;
  }
  for (const std::string& bad : {std::string(), std::string("-a"), std::string("Bot"), std::string("a/b"),
                                 std::string("a b"), std::string(101, 'a')}) {
    EXPECT_FALSE(CheckSubscriptionName(bad, "name").ok()) << bad;
  }
}

TEST(SubscriptionRequestsTest, ASeekNeedsATarget) {
  v1::SeekSubscriptionRequest request;
  request.set_name("bot");
  EXPECT_THAT(BadFieldsOf(CheckRequest(request, kNow).status()), ElementsAre("target"));
  request.set_after_cursor("no cursor");
  EXPECT_TRUE(HasReason(CheckRequest(request, kNow).status(), GatewayReason::kCursorInvalid));
}

TEST(SubscriptionRequestsTest, SettlementsAreCheckedEach) {
  v1::AcknowledgeEventsRequest request;
  request.set_subscription("bot");
  request.add_settlements();
  v1::Settlement& extend = *request.add_settlements();
  extend.set_action(v1::SETTLEMENT_ACTION_EXTEND);
  extend.mutable_delay();
  v1::Settlement& ack = *request.add_settlements();
  ack.set_action(v1::SETTLEMENT_ACTION_ACK);
  ack.mutable_delay()->set_seconds(1);
  EXPECT_THAT(BadFieldsOf(CheckRequest(request)),
              ElementsAre("settlements[0].action", "settlements[1].delay", "settlements[2].delay"));
}

TEST(SubscriptionRequestsTest, AConsumerSaysNothingOfWhatLivesOnTheServer) {
  v1::SubscribeEventsRequest request;
  request.set_subscription("bot");
  request.set_position(v1::START_POSITION_EARLIEST);
  request.mutable_filter()->set_test_events(v1::TEST_EVENTS_ONLY);
  request.set_on_expired_cursor(v1::ON_EXPIRED_CURSOR_FAIL);
  request.set_max_outstanding_events(10'001);
  EXPECT_THAT(BadFieldsOf(CheckConsumer(request).status()),
              ElementsAre("position", "filter", "on_expired_cursor", "max_outstanding_events"));
}

}  // namespace
}  // namespace aulm::gateway
