// A company moves from the embedded store to NATS with `aulm-gateway store copy`: cursors, request ids, deliveries and
// subscriptions go on.
#include <gmock/gmock.h>

#include <csignal>

#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "tests/integration/jetstream/replicas_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class MovedStoreTest : public ReplicasTest {
 protected:
  void SetUp() override {
    ReplicasTest::SetUp();
    ASSERT_FALSE(HasFatalFailure());
    auto simulator = simulator::SimulatorProcess::Start({});
    ASSERT_TRUE(simulator.ok()) << simulator.status();
    simulator_ = *std::move(simulator);
    options_.aulm_base_url = simulator_->base_url();
    options_.api_key = simulator::kTestKey;
    nats_url_ = options_.environment["GATEWAY_STORE"];
    sqlite_url_ = absl::StrCat("sqlite://", folder_.path(), "/store");
    options_.environment["GATEWAY_STORE"] = sqlite_url_;
  }

  void Stop(Replica& replica) {
    replica.gateway.process().Signal(SIGTERM);
    ASSERT_EQ(replica.gateway.process().Wait(absl::Seconds(40)).value_or(-1), 0);
  }

  // The exit status; the words of the last line on stdout in `said`.
  int CopyStore(std::string& said) {
    auto copy = ChildProcess::Start({BinaryPath("aulm-gateway"), "store", "copy", sqlite_url_, nats_url_},
                                    {{"AULM_API_KEY", "alm_sk_test_x"}, {"AULM_WEBHOOK_SECRET", "x"}});
    EXPECT_TRUE(copy.ok()) << copy.status();
    if (!copy.ok()) return -1;
    for (auto line = copy->ReadLine(absl::Seconds(60)); line.ok(); line = copy->ReadLine(absl::Seconds(60))) {
      said = *line;
    }
    return copy->Wait(absl::Seconds(60)).value_or(-1);
  }

  static grpc::Status SendOrder(Replica& replica, v1::SendTextResponse& response) {
    grpc::ClientContext context;
    v1::SendTextRequest request;
    request.set_session_id(simulator::kConnectedSession);
    request.set_to("+966512345678");
    request.set_body("hello");
    request.set_request_id("order-1");
    return replica.messaging->SendText(&context, request, &response);
  }

  static void CreateSubscription(Replica& replica, const std::string& name, v1::SubscriptionMode mode) {
    const auto stub = v1::SubscriptionService::NewStub(replica.channel);
    grpc::ClientContext context;
    v1::CreateSubscriptionRequest request;
    request.mutable_subscription()->set_name(name);
    request.mutable_subscription()->set_mode(mode);
    request.mutable_subscription()->set_position(v1::START_POSITION_EARLIEST);
    v1::CreateSubscriptionResponse response;
    const grpc::Status status = stub->CreateSubscription(&context, request, &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }

  // Consumes and acknowledges `count` deliveries; their ids.
  static std::vector<std::string> Consume(Replica& replica, const std::string& name, v1::SubscriptionMode mode,
                                          size_t count) {
    std::vector<std::string> ids;
    grpc::ClientContext context;
    v1::SubscribeEventsRequest request;
    request.set_subscription(name);
    request.set_consumer_id("pod");
    request.set_max_batch_events(1);
    if (mode == v1::SUBSCRIPTION_MODE_SHARED) request.set_max_outstanding_events(1);
    const auto stream = replica.events->SubscribeEvents(&context, request);
    v1::SubscribeEventsResponse frame;
    while (ids.size() < count && stream->Read(&frame)) {
      if (!frame.has_event_batch()) continue;
      v1::AcknowledgeEventsRequest acknowledge;
      acknowledge.set_subscription(name);
      for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
        ids.push_back(delivery.event().delivery_id());
        if (mode == v1::SUBSCRIPTION_MODE_CURSOR) {
          acknowledge.set_up_to_cursor(delivery.event().cursor());
        } else {
          v1::Settlement& settlement = *acknowledge.add_settlements();
          settlement.set_ack_token(delivery.ack_token());
          settlement.set_action(v1::SETTLEMENT_ACTION_ACK);
        }
      }
      grpc::ClientContext settling;
      v1::AcknowledgeEventsResponse acknowledged;
      const grpc::Status status = replica.events->AcknowledgeEvents(&settling, acknowledge, &acknowledged);
      EXPECT_TRUE(status.ok()) << status.error_message();
    }
    context.TryCancel();
    const grpc::Status status = stream->Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
    return ids;
  }

  std::unique_ptr<simulator::SimulatorProcess> simulator_;
  std::string sqlite_url_, nats_url_;
};

TEST_F(MovedStoreTest, CursorsRequestIdsDeliveriesAndSubscriptionsGoOn) {
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());
  WebhookClient client(replica(0).gateway.webhook_address(), kSecret);
  for (int i = 0; i < 6; ++i) ASSERT_EQ(Post(client, i).value_or(0), 200);
  const std::vector<v1::Event> before = ReadAll(replica(0));
  ASSERT_THAT(before, SizeIs(6));
  v1::SendTextResponse sent;
  ASSERT_TRUE(SendOrder(replica(0), sent).ok());
  CreateSubscription(replica(0), "ordered", v1::SUBSCRIPTION_MODE_CURSOR);
  CreateSubscription(replica(0), "spread", v1::SUBSCRIPTION_MODE_SHARED);
  ASSERT_FALSE(HasFatalFailure());
  EXPECT_THAT(Consume(replica(0), "ordered", v1::SUBSCRIPTION_MODE_CURSOR, 2),
              ElementsAre(DeliveryId(0), DeliveryId(1)));
  EXPECT_THAT(Consume(replica(0), "spread", v1::SUBSCRIPTION_MODE_SHARED, 3),
              ElementsAre(DeliveryId(0), DeliveryId(1), DeliveryId(2)));
  Stop(replica(0));

  std::string said;
  ASSERT_EQ(CopyStore(said), 0);
  EXPECT_THAT(said, HasSubstr("copied 6 events, 6 delivery ids"));
  options_.environment["GATEWAY_STORE"] = nats_url_;
  StartReplicas(2);
  ASSERT_FALSE(HasFatalFailure());

  EXPECT_THAT(DeliveryIdsOf(ReadAll(replica(1), before[3].cursor())), ElementsAre(DeliveryId(4), DeliveryId(5)));
  EXPECT_THAT(ReadAll(replica(2), before[5].cursor()), SizeIs(0));
  v1::SendTextResponse replayed;
  ASSERT_TRUE(SendOrder(replica(1), replayed).ok());
  EXPECT_TRUE(replayed.replayed());
  EXPECT_EQ(replayed.message().message_id(), sent.message().message_id());
  WebhookClient moved(replica(2).gateway.webhook_address(), kSecret);
  for (int i = 0; i < 7; ++i) ASSERT_EQ(Post(moved, i).value_or(0), 200);
  EXPECT_THAT(DeliveryIdsOf(ReadAll(replica(1), before[4].cursor())), ElementsAre(DeliveryId(5), DeliveryId(6)));
  EXPECT_THAT(Consume(replica(1), "ordered", v1::SUBSCRIPTION_MODE_CURSOR, 5),
              ElementsAre(DeliveryId(2), DeliveryId(3), DeliveryId(4), DeliveryId(5), DeliveryId(6)));
  EXPECT_THAT(Consume(replica(2), "spread", v1::SUBSCRIPTION_MODE_SHARED, 4),
              ElementsAre(DeliveryId(3), DeliveryId(4), DeliveryId(5), DeliveryId(6)));
}

}  // namespace
}  // namespace aulm::gateway
