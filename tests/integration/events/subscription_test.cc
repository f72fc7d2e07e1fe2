#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "tests/integration/events/subscription_server.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_state_store.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

// A gateway over a log and a store in memory; Restart begins its next life over the same.
class SubscriptionTest : public testing::Test {
 protected:
  SubscriptionTest() : state(clock) { Restart(); }

  void Restart() {
    server.reset();
    server = std::make_unique<SubscriptionServer>(log, state);
  }

  static std::string ReasonOf(const grpc::Status& status) {
    google::rpc::Status details;
    details.ParseFromString(status.error_details());
    google::rpc::ErrorInfo info;
    return details.details_size() > 0 && details.details(0).UnpackTo(&info) ? info.reason() : "";
  }

  // Events of one conversation each.
  void Append(int first, int last) { AppendInbound(log, first, last); }

  SystemClock clock;
  FakeEventLog log;
  FakeStateStore state;
  std::unique_ptr<SubscriptionServer> server;
};

TEST_F(SubscriptionTest, CreatingAnEqualOneAgainAnswersWithTheOneThatExists) {
  v1::Subscription first, again;
  ASSERT_TRUE(server->Create(SharedSpec("bot"), &first).ok());
  ASSERT_TRUE(server->Create(SharedSpec("bot"), &again).ok());
  EXPECT_EQ(first.create_time().seconds(), again.create_time().seconds());
  EXPECT_EQ(again.max_attempts(), 10u);
  EXPECT_EQ(again.ack_deadline().seconds(), 30);
}

TEST_F(SubscriptionTest, CreatingAnotherOfTheSameNameIsRefused) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  const grpc::Status status = server->Create(CursorSpec("bot"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_EQ(ReasonOf(status), "SUBSCRIPTION_EXISTS");
}

TEST_F(SubscriptionTest, EveryBadFieldOfASpecificationIsNamed) {
  v1::Subscription specification = SharedSpec("No Such Name");
  specification.mutable_ack_deadline()->set_seconds(7200);
  specification.set_max_attempts(2000);
  const grpc::Status status = server->Create(specification);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("name"));
  EXPECT_THAT(status.error_message(), HasSubstr("ack_deadline"));
  EXPECT_THAT(status.error_message(), HasSubstr("max_attempts"));
}

TEST_F(SubscriptionTest, AnUnknownNameIsNotFoundEverywhere) {
  Consumer consumer(*server, "nobody");
  EXPECT_FALSE(consumer.started());
  const grpc::Status stream = consumer.Finish();
  EXPECT_EQ(stream.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(ReasonOf(stream), "SUBSCRIPTION_NOT_FOUND");
  EXPECT_EQ(server->AcknowledgeTo("nobody", "x").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(SubscriptionTest, TheListComesInPagesInTheOrderOfNames) {
  for (const char* const name : {"c", "a", "b"}) ASSERT_TRUE(server->Create(SharedSpec(name)).ok());
  std::vector<std::string> names;
  v1::ListSubscriptionsRequest request;
  request.set_page_size(2);
  do {
    grpc::ClientContext context;
    v1::ListSubscriptionsResponse response;
    ASSERT_TRUE(server->subscriptions->ListSubscriptions(&context, request, &response).ok());
    EXPECT_LE(response.subscriptions_size(), 2);
    for (const v1::Subscription& subscription : response.subscriptions()) names.push_back(subscription.name());
    request.set_page_token(response.next_page_token());
  } while (!request.page_token().empty());
  EXPECT_THAT(names, ElementsAre("a", "b", "c"));
}

TEST_F(SubscriptionTest, AnAcknowledgedEventIsDoneWithAndItsTokenStale) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 2);
  Consumer consumer(*server, "bot");
  const std::vector<v1::Delivery> deliveries = consumer.Take(2);
  EXPECT_EQ(deliveries[0].attempt(), 1u);
  EXPECT_EQ(deliveries[0].event().inbound_message().body(), "text 1");
  EXPECT_EQ(server->Get("bot").stats().outstanding_events(), 2u);
  EXPECT_EQ(server->Settle("bot", deliveries[0].ack_token()), v1::SETTLEMENT_EFFECT_OK);
  EXPECT_EQ(server->Settle("bot", deliveries[0].ack_token()), v1::SETTLEMENT_EFFECT_STALE);
  EXPECT_EQ(server->Settle("bot", "made up"), v1::SETTLEMENT_EFFECT_UNKNOWN);
  const v1::SubscriptionStats stats = server->Get("bot").stats();
  EXPECT_EQ(stats.outstanding_events(), 1u);
  EXPECT_EQ(stats.lag_events(), 1u);
  EXPECT_EQ(stats.consumers(), 1u);
}

TEST_F(SubscriptionTest, ATokenOfAnotherSubscriptionIsUnknown) {
  ASSERT_TRUE(server->Create(SharedSpec("one")).ok());
  ASSERT_TRUE(server->Create(SharedSpec("two")).ok());
  Append(1, 1);
  Consumer consumer(*server, "one");
  EXPECT_EQ(server->Settle("two", consumer.TakeOne().ack_token()), v1::SETTLEMENT_EFFECT_UNKNOWN);
}

TEST_F(SubscriptionTest, AConversationKeepsItsOrderOverADeadConsumer) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  AppendNow(log, InboundEvent(1));
  AppendNow(log, InboundEvent(101));  // of the same peer
  auto dying = std::make_unique<Consumer>(*server, "bot");
  EXPECT_EQ(dying->TakeOne().event().delivery_id(), "d1");
  EXPECT_TRUE(dying->NextIsHeartbeat()) << "the second waits for the first";
  dying.reset();
  Consumer heir(*server, "bot");
  const v1::Delivery again = heir.TakeOne();
  EXPECT_EQ(again.event().delivery_id(), "d1");
  EXPECT_EQ(again.attempt(), 2u);
  EXPECT_EQ(server->Settle("bot", again.ack_token()), v1::SETTLEMENT_EFFECT_OK);
  EXPECT_EQ(heir.TakeOne().event().delivery_id(), "d101");
}

TEST_F(SubscriptionTest, MaxOutstandingOneIsOne) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 3);
  Consumer consumer(*server, "bot", 1);
  const v1::Delivery first = consumer.TakeOne();
  EXPECT_TRUE(consumer.NextIsHeartbeat());
  server->Settle("bot", first.ack_token());
  EXPECT_EQ(consumer.TakeOne().event().delivery_id(), "d2");
}

TEST_F(SubscriptionTest, RetryDeliversAgainAfterItsDelay) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 1);
  Consumer consumer(*server, "bot");
  EXPECT_EQ(server->Settle("bot", consumer.TakeOne().ack_token(), v1::SETTLEMENT_ACTION_RETRY, 0),
            v1::SETTLEMENT_EFFECT_OK);
  EXPECT_EQ(consumer.TakeOne().attempt(), 2u);
}

TEST_F(SubscriptionTest, AnEventWhoseDeadlinePassedComesAgain) {
  v1::Subscription specification = SharedSpec("bot");
  specification.mutable_ack_deadline()->set_seconds(1);
  specification.mutable_retry_delay();
  ASSERT_TRUE(server->Create(specification).ok());
  Append(1, 1);
  Consumer consumer(*server, "bot");
  const v1::Delivery late = consumer.TakeOne();
  EXPECT_EQ(consumer.TakeOne().attempt(), 2u);
  EXPECT_EQ(server->Settle("bot", late.ack_token()), v1::SETTLEMENT_EFFECT_STALE);
}

TEST_F(SubscriptionTest, ParkedEventsAreListedAndReplayed) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 1);
  Consumer consumer(*server, "bot");
  EXPECT_EQ(server->Settle("bot", consumer.TakeOne().ack_token(), v1::SETTLEMENT_ACTION_PARK),
            v1::SETTLEMENT_EFFECT_OK);
  v1::ListParkedEventsResponse parked;
  {
    grpc::ClientContext context;
    v1::ListParkedEventsRequest request;
    request.set_subscription("bot");
    ASSERT_TRUE(server->subscriptions->ListParkedEvents(&context, request, &parked).ok());
  }
  ASSERT_EQ(parked.parked_events_size(), 1);
  EXPECT_EQ(parked.parked_events(0).event().delivery_id(), "d1");
  EXPECT_EQ(parked.parked_events(0).reason(), v1::PARK_REASON_CONSUMER);
  EXPECT_EQ(server->Get("bot").stats().parked_events(), 1u);
  EXPECT_EQ(server->Get("bot").stats().lag_events(), 0u);

  grpc::ClientContext context;
  v1::ReplayParkedEventsRequest request;
  request.set_subscription("bot");
  request.add_cursors(parked.parked_events(0).event().cursor());
  v1::ReplayParkedEventsResponse replayed;
  ASSERT_TRUE(server->subscriptions->ReplayParkedEvents(&context, request, &replayed).ok());
  EXPECT_EQ(replayed.replayed_events(), 1u);
  const v1::Delivery again = consumer.TakeOne();
  EXPECT_EQ(again.event().delivery_id(), "d1");
  EXPECT_EQ(again.attempt(), 1u);
  EXPECT_EQ(server->Settle("bot", again.ack_token()), v1::SETTLEMENT_EFFECT_OK);
  EXPECT_EQ(server->Get("bot").stats().parked_events(), 0u);
}

TEST_F(SubscriptionTest, APageTokenThatNoPageEndedWithIsRefused) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  for (const char* const token : {"1", "00000000000000000001-0000000000000000000x", "zzz"}) {
    grpc::ClientContext context;
    v1::ListParkedEventsRequest request;
    request.set_subscription("bot");
    request.set_page_token(token);
    v1::ListParkedEventsResponse response;
    const grpc::Status status = server->subscriptions->ListParkedEvents(&context, request, &response);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << token;
    EXPECT_THAT(status.error_message(), HasSubstr("page_token")) << token;
  }
}

TEST_F(SubscriptionTest, AReplayThatWasNotSettledSurvivesARestart) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 1);
  {
    Consumer consumer(*server, "bot");
    server->Settle("bot", consumer.TakeOne().ack_token(), v1::SETTLEMENT_ACTION_PARK);
    grpc::ClientContext context;
    v1::ReplayParkedEventsRequest request;
    request.set_subscription("bot");
    request.set_all(true);
    v1::ReplayParkedEventsResponse replayed;
    ASSERT_TRUE(server->subscriptions->ReplayParkedEvents(&context, request, &replayed).ok());
  }
  Restart();
  Consumer consumer(*server, "bot");
  EXPECT_EQ(consumer.TakeOne().event().delivery_id(), "d1");
}

TEST_F(SubscriptionTest, ARestartKeepsAcknowledgementsAndMakesOlderTokensStale) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 5);
  std::string old_token;
  {
    Consumer consumer(*server, "bot");
    const std::vector<v1::Delivery> deliveries = consumer.Take(5);
    for (const int done : {0, 2, 4}) {
      EXPECT_EQ(server->Settle("bot", deliveries[static_cast<size_t>(done)].ack_token()), v1::SETTLEMENT_EFFECT_OK);
    }
    old_token = deliveries[1].ack_token();
  }
  Restart();
  Consumer consumer(*server, "bot");
  EXPECT_THAT(consumer.TakeIds(2), UnorderedElementsAre("d2", "d4"));
  EXPECT_EQ(server->Settle("bot", old_token), v1::SETTLEMENT_EFFECT_STALE);
}

TEST_F(SubscriptionTest, ADrainHandsBackWithoutCounting) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 1);
  Consumer drained(*server, "bot");
  EXPECT_EQ(drained.TakeOne().attempt(), 1u);
  server->Drain();
  EXPECT_TRUE(drained.Frame().has_drain());
  const grpc::Status status = drained.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "DRAINING");
  Restart();
  Consumer next(*server, "bot");
  EXPECT_EQ(next.TakeOne().attempt(), 1u);
}

TEST_F(SubscriptionTest, TheFilterLivesOnTheServer) {
  v1::Subscription specification = SharedSpec("statuses");
  specification.mutable_filter()->add_types(v1::EVENT_TYPE_MESSAGE_STATUS);
  ASSERT_TRUE(server->Create(specification).ok());
  Append(1, 3);
  AppendNow(log, StatusEvent(4));
  Consumer consumer(*server, "statuses");
  const v1::Delivery only = consumer.TakeOne();
  EXPECT_EQ(only.event().delivery_id(), "d4");
  server->Settle("statuses", only.ack_token());
  EXPECT_EQ(server->Get("statuses").stats().lag_events(), 0u);
}

TEST_F(SubscriptionTest, RawBodiesComeToThoseWhoAsk) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 2);
  v1::SubscribeEventsRequest request = Consumer::RequestOf("bot");
  request.set_include_raw_body(true);
  Consumer consumer(*server, request);
  for (const v1::Delivery& delivery : consumer.Take(2)) {
    EXPECT_THAT(delivery.event().raw_body(), HasSubstr("number"));
    EXPECT_EQ(server->Settle("bot", delivery.ack_token()), v1::SETTLEMENT_EFFECT_OK);
  }
}

TEST_F(SubscriptionTest, FallingBehindRetentionIsSaid) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 10);
  Restart();  // the hub's ring begins at the head: the subscription has to read the log
  log.Trim(6);
  Consumer consumer(*server, "bot");
  const v1::SubscribeEventsResponse frame = consumer.Frame();
  EXPECT_TRUE(frame.has_gap()) << frame.ShortDebugString();
  EXPECT_EQ(consumer.TakeIds(5).size(), 5u);
}

TEST_F(SubscriptionTest, ASeekDeliversAnewAndDrainsItsStreams) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 2);
  Consumer before(*server, "bot");
  const std::vector<v1::Delivery> old = before.Take(2);
  server->Settle("bot", old[0].ack_token());
  grpc::ClientContext context;
  v1::SeekSubscriptionRequest request;
  request.set_name("bot");
  request.set_position(v1::START_POSITION_EARLIEST);
  v1::SeekSubscriptionResponse response;
  ASSERT_TRUE(server->subscriptions->SeekSubscription(&context, request, &response).ok());
  EXPECT_TRUE(before.Frame().has_drain());
  Consumer after(*server, "bot");
  EXPECT_THAT(after.TakeIds(2), UnorderedElementsAre("d1", "d2"));
  EXPECT_EQ(server->Settle("bot", old[1].ack_token()), v1::SETTLEMENT_EFFECT_STALE);
}

TEST_F(SubscriptionTest, DeletingEndsItsStreamsAndFreesItsName) {
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  Append(1, 1);
  Consumer consumer(*server, "bot");
  const v1::Delivery delivery = consumer.TakeOne();
  grpc::ClientContext context;
  v1::DeleteSubscriptionRequest request;
  request.set_name("bot");
  v1::DeleteSubscriptionResponse response;
  ASSERT_TRUE(server->subscriptions->DeleteSubscription(&context, request, &response).ok());
  EXPECT_EQ(consumer.Finish().error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(server->Create(SharedSpec("bot")).ok());
  EXPECT_EQ(server->Settle("bot", delivery.ack_token()), v1::SETTLEMENT_EFFECT_UNKNOWN);
}

TEST_F(SubscriptionTest, WhatIsOfTheOtherModeIsRefused) {
  ASSERT_TRUE(server->Create(SharedSpec("shared")).ok());
  ASSERT_TRUE(server->Create(CursorSpec("cursor")).ok());
  const grpc::Status up_to = server->AcknowledgeTo("shared", "any");
  EXPECT_EQ(up_to.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(up_to), "SUBSCRIPTION_MODE");
  v1::SubscribeEventsRequest request = Consumer::RequestOf("shared");
  request.set_take_over(true);
  EXPECT_EQ(Consumer(*server, request).Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Consumer(*server, "cursor", 5).Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(SubscriptionTest, CursorModeGoesOnAfterTheLastAcknowledgement) {
  ASSERT_TRUE(server->Create(CursorSpec("ledger")).ok());
  Append(1, 5);
  {
    Consumer consumer(*server, "ledger");
    const std::vector<v1::Delivery> deliveries = consumer.Take(5);
    EXPECT_EQ(deliveries[4].event().delivery_id(), "d5");
    ASSERT_TRUE(server->AcknowledgeTo("ledger", deliveries[2].event().cursor()).ok());
    ASSERT_TRUE(server->AcknowledgeTo("ledger", deliveries[0].event().cursor()).ok()) << "changes nothing";
  }
  Restart();
  EXPECT_EQ(server->Get("ledger").stats().lag_events(), 2u);
  Consumer consumer(*server, "ledger");
  EXPECT_THAT(consumer.TakeIds(2), ElementsAre("d4", "d5"));
}

TEST_F(SubscriptionTest, CursorModeHasOneConsumerAndTheNextWaits) {
  ASSERT_TRUE(server->Create(CursorSpec("ledger")).ok());
  Append(1, 2);
  auto first = std::make_unique<Consumer>(*server, "ledger");
  first->Take(2);
  Consumer second(*server, "ledger");
  EXPECT_TRUE(second.started());
  EXPECT_TRUE(second.NextIsHeartbeat());
  first.reset();
  EXPECT_THAT(second.TakeIds(2), ElementsAre("d1", "d2"));
}

TEST_F(SubscriptionTest, CursorModeCanBeTakenOverByForce) {
  ASSERT_TRUE(server->Create(CursorSpec("ledger")).ok());
  Append(1, 2);
  Consumer first(*server, "ledger");
  first.Take(2);
  v1::SubscribeEventsRequest request = Consumer::RequestOf("ledger");
  request.set_take_over(true);
  Consumer second(*server, request);
  EXPECT_TRUE(first.Frame().has_drain());
  EXPECT_EQ(first.Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(second.TakeIds(2), ElementsAre("d1", "d2"));
}

}  // namespace
}  // namespace aulm::gateway
