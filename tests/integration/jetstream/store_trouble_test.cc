// A store across a network that goes away, comes back, or is not what it was.
#include <gmock/gmock.h>

#include <csignal>

#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "tests/integration/jetstream/replicas_fixture.h"
#include "tests/support/raw_http_client.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

class StoreTroubleTest : public ReplicasTest {
 protected:
  static RawReply Ready(Replica& replica) {
    RawHttpClient client("127.0.0.1", replica.gateway.admin_address());
    client.Send("GET /readyz?verbose HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    return client.ReadReply();
  }

  // Asks again until the gateway is ready, or is not.
  static RawReply AwaitReady(Replica& replica, int status) {
    RawReply reply = Ready(replica);
    while (reply.status != status) reply = Ready(replica);
    return reply;
  }

  void AskApi(const std::string& verb) {
    NatsServers servers;
    servers.urls = {absl::StrCat("nats://", nats_->address())};
    auto connection = NatsConnection::Connect(servers, absl::Seconds(10), random_,
                                              {[] {}, [](const std::string&) {}, [](const absl::Status&) {}});
    ASSERT_TRUE(connection.ok()) << connection.status();
    auto requests = NatsRequests::Create(**connection, clock_);
    ASSERT_TRUE(requests.ok()) << requests.status();
    const auto answer = JetStreamApi(**requests).CallNow(verb, {}, absl::Seconds(10));
    ASSERT_TRUE(answer.ok()) << answer.status();
  }

  SystemClock clock_;
  SystemRandom random_;
};

TEST_F(StoreTroubleTest, WithoutTheServerWebhooksGet503AndReadinessSaysWhyAndAllGoesOnWhenItIsBack) {
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());
  grpc::ClientContext context;
  v1::SubscribeEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  request.mutable_heartbeat_interval()->set_seconds(1);
  auto stream = replica(0).events->SubscribeEvents(&context, request);
  WebhookClient client(replica(0).gateway.webhook_address(), kSecret);
  ASSERT_EQ(Post(client, 0).value_or(0), 200);

  nats_->Kill();
  const RawReply down = AwaitReady(replica(0), 503);
  const absl::StatusOr<int> refused = Post(client, 1);
  // The stream lives on: frames come after the server has gone.
  v1::SubscribeEventsResponse frame;
  std::vector<std::string> ids;
  int heartbeats = 0;
  while (heartbeats < 2 && stream->Read(&frame)) {
    heartbeats += frame.has_heartbeat() ? 1 : 0;
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) ids.push_back(delivery.event().delivery_id());
  }
  ASSERT_TRUE(nats_->Restart().ok());
  AwaitReady(replica(0), 200);
  while (Post(client, 1).value_or(0) != 200) {
  }
  while (ids.size() < 2 && stream->Read(&frame)) {
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) ids.push_back(delivery.event().delivery_id());
  }
  context.TryCancel();

  EXPECT_THAT(down.body, HasSubstr("NATS"));
  EXPECT_EQ(refused.value_or(0), 503);
  EXPECT_EQ(heartbeats, 2);
  EXPECT_THAT(ids, ElementsAre(DeliveryId(0), DeliveryId(1)));
  EXPECT_THAT(ReadAll(replica(0)), SizeIs(2));
}

TEST_F(StoreTroubleTest, PausedServerIsWaitedForWithinBounds) {
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());
  WebhookClient client(replica(0).gateway.webhook_address(), kSecret);
  ASSERT_EQ(Post(client, 0).value_or(0), 200);

  nats_->Signal(SIGSTOP);
  const absl::StatusOr<int> refused = Post(client, 1);
  nats_->Signal(SIGCONT);
  while (Post(client, 1).value_or(0) != 200) {
  }

  EXPECT_EQ(refused.value_or(0), 503);
  EXPECT_THAT(DeliveryIdsOf(ReadAll(replica(0))), ElementsAre(DeliveryId(0), DeliveryId(1)));
}

TEST_F(StoreTroubleTest, StreamThatWasMadeAnewEndsTheGatewayAndItsOldCursors) {
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());
  WebhookClient client(replica(0).gateway.webhook_address(), kSecret);
  for (int i = 0; i < 3; ++i) ASSERT_EQ(Post(client, i).value_or(0), 200);
  const std::string cursor = ReadAll(replica(0)).at(0).cursor();

  AskApi("STREAM.DELETE.aulm-events");
  const absl::StatusOr<int> ended = replica(0).gateway.process().Wait(absl::Seconds(60));
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());
  WebhookClient again(replica(1).gateway.webhook_address(), kSecret);
  for (int i = 10; i < 13; ++i) ASSERT_EQ(Post(again, i).value_or(0), 200);
  grpc::ClientContext context;
  v1::ReadEventsRequest request;
  request.set_after_cursor(cursor);
  v1::ReadEventsResponse response;
  const grpc::Status status = replica(1).events->ReadEvents(&context, request, &response);

  ASSERT_TRUE(ended.ok()) << ended.status();
  EXPECT_EQ(*ended, 1);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE) << status.error_message();
}

TEST_F(StoreTroubleTest, StreamThatIsNotAsTheSettingsSayStopsTheStart) {
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());
  std::ofstream(folder_.path() + "/gateway.json") << R"({"store": {"retention": "86400s"}})";
  options_.environment["GATEWAY_CONFIG"] = folder_.path() + "/gateway.json";
  options_.folder = folder_.path();

  const absl::StatusOr<GatewayProcess> other = GatewayProcess::Start(options_);

  EXPECT_FALSE(other.ok());
  std::ifstream log(folder_.path() + "/gateway.log");
  const std::string said((std::istreambuf_iterator<char>(log)), std::istreambuf_iterator<char>());
  EXPECT_THAT(said,
              HasSubstr("the NATS stream aulm-events is there, but not as the settings say, and is left as it is"));
  EXPECT_THAT(said, HasSubstr("set store.retention"));
}

}  // namespace
}  // namespace aulm::gateway
