// What one gateway does, every other one that shares its store knows: events, cursors, paces and request ids.
#include <gmock/gmock.h>

#include <ctime>
#include <thread>

#include "tests/integration/jetstream/replicas_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::SizeIs;

int64_t MonotonicMicros() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

class SharedStoreTest : public ReplicasTest {
 protected:
  void StartWithPacing(const std::string& pacing) {
    auto simulator = simulator::SimulatorProcess::Start({"--status-delay-ms=1"});
    ASSERT_TRUE(simulator.ok()) << simulator.status();
    simulator_ = *std::move(simulator);
    options_.aulm_base_url = simulator_->base_url();
    options_.api_key = simulator::kLiveKey;
    std::ofstream(folder_.path() + "/gateway.json") << pacing;
    options_.environment["GATEWAY_CONFIG"] = folder_.path() + "/gateway.json";
    StartReplicas(3);
  }

  // Calls all at the same time, each with a thread of its own, one replica after the other.
  std::vector<int> CallAtOnce(const std::vector<v1::SendTextRequest>& requests) {
    std::vector<int> codes(requests.size());
    std::vector<std::thread> callers;
    for (size_t i = 0; i < requests.size(); ++i) {
      callers.emplace_back([&, i] {
        grpc::ClientContext context;
        context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
        v1::SendTextResponse response;
        codes[i] = replica(i % 3).messaging->SendText(&context, requests[i], &response).error_code();
      });
    }
    for (std::thread& caller : callers) caller.join();
    return codes;
  }

  static v1::SendTextRequest Text(const std::string& to) {
    v1::SendTextRequest request;
    request.set_session_id(simulator::kConnectedSession);
    request.set_to(to);
    request.set_body("hello");
    return request;
  }

  std::unique_ptr<simulator::SimulatorProcess> simulator_;
};

TEST_F(SharedStoreTest, FiftyCallersOverThreeReplicasHoldTheSessionsPace) {
  constexpr int64_t kIntervalUs = 20'000;
  constexpr int64_t kBurst = 3;
  StartWithPacing(R"({"pacing": {"interval": "0.02s", "jitter": 0, "burst": 3}})");
  ASSERT_FALSE(HasFatalFailure());
  std::vector<v1::SendTextRequest> requests;
  for (int i = 0; i < 50; ++i) requests.push_back(Text(absl::StrFormat("+9665123456%02d", i)));
  const int64_t begun = MonotonicMicros();

  EXPECT_THAT(CallAtOnce(requests), Each(grpc::StatusCode::OK));

  const auto arrived = simulator_->control().Requests();
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  ASSERT_THAT(*arrived, SizeIs(50));
  for (size_t i = kBurst; i < 50; ++i) {
    // The i-th send's slot lies i - burst + 1 intervals after the first's. A slow machine makes it later, never
    // earlier.
    EXPECT_GE((*arrived)[i].arrived_us - begun, (static_cast<int64_t>(i) - kBurst + 1) * kIntervalUs) << "send " << i;
  }
}

TEST_F(SharedStoreTest, WhoWroteThroughOneReplicaIsAnsweredInTheReplyLaneOfAnother) {
  StartWithPacing(R"({"pacing": {"interval": "1000s", "jitter": 0, "burst": 1, "reply_interval": "0.01s"}})");
  ASSERT_FALSE(HasFatalFailure());
  // The session's one cold send for a long while.
  ASSERT_THAT(CallAtOnce({Text("+966500000001")}), ElementsAre(grpc::StatusCode::OK));
  ASSERT_THAT(CallAtOnce({Text("+966500000002")}), ElementsAre(grpc::StatusCode::RESOURCE_EXHAUSTED));
  grpc::ClientContext context;
  const auto stream = replica(1).events->SubscribeEvents(&context, {});
  v1::SubscribeEventsResponse frame;
  ASSERT_TRUE(stream->Read(&frame));  // it is at the head
  WebhookClient webhooks(replica(0).gateway.webhook_address(), kSecret);
  const std::string id = DeliveryId(1);
  ASSERT_EQ(*webhooks.Post("inbound_message", id,
                           InboundMessageBody(id, simulator::kConnectedSession, "+966500000002", "hi")),
            200);
  do {
    ASSERT_TRUE(stream->Read(&frame));
  } while (frame.event_batch().deliveries().empty() ||
           frame.event_batch().deliveries().rbegin()->event().delivery_id() != id);
  context.TryCancel();

  grpc::ClientContext answer;
  answer.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  v1::SendTextResponse response;
  const grpc::Status status = replica(1).messaging->SendText(&answer, Text("+966500000002"), &response);

  EXPECT_TRUE(status.ok()) << status.error_message();
}

TEST_F(SharedStoreTest, TwentyOneCallsOverThreeReplicasWithOneRequestIdAreOneSend) {
  StartWithPacing(R"({"pacing": {"off": true}})");
  ASSERT_FALSE(HasFatalFailure());
  v1::SendTextRequest request = Text("+966512345678");
  request.set_request_id("order-4711");

  const std::vector<int> codes = CallAtOnce(std::vector<v1::SendTextRequest>(21, request));

  // A replica that did not make the send says that it is under way, or what came of it.
  EXPECT_THAT(codes, Each(testing::AnyOf(grpc::StatusCode::OK, grpc::StatusCode::ABORTED)));
  const auto arrived = simulator_->control().Requests();
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  EXPECT_THAT(*arrived, SizeIs(1));
  EXPECT_THAT(CallAtOnce(std::vector<v1::SendTextRequest>(3, request)), Each(grpc::StatusCode::OK));
}

TEST_F(ReplicasTest, EventsOfOneReplicaAreStreamedByAnother) {
  StartReplicas(2);
  ASSERT_FALSE(HasFatalFailure());
  grpc::ClientContext context;
  v1::SubscribeEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  auto stream = replica(1).events->SubscribeEvents(&context, request);
  WebhookClient client(replica(0).gateway.webhook_address(), kSecret);
  for (int i = 0; i < 3; ++i) ASSERT_THAT(Post(client, i).value_or(0), 200);

  std::vector<std::string> ids;
  v1::SubscribeEventsResponse frame;
  while (ids.size() < 3 && stream->Read(&frame)) {
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) ids.push_back(delivery.event().delivery_id());
  }
  context.TryCancel();

  EXPECT_THAT(ids, ElementsAre(DeliveryId(0), DeliveryId(1), DeliveryId(2)));
}

TEST_F(ReplicasTest, DeliveryThatComesAgainToAnotherReplicaIsStoredOnce) {
  StartReplicas(2);
  ASSERT_FALSE(HasFatalFailure());
  WebhookClient first(replica(0).gateway.webhook_address(), kSecret);
  WebhookClient second(replica(1).gateway.webhook_address(), kSecret);

  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(Post(first, i).value_or(0), 200);
    EXPECT_EQ(Post(second, i).value_or(0), 200);
  }

  EXPECT_THAT(ReadAll(replica(0)), SizeIs(5));
  EXPECT_EQ(DeliveryIdsOf(ReadAll(replica(1))), DeliveryIdsOf(ReadAll(replica(0))));
}

TEST_F(ReplicasTest, CursorOfOneReplicaGoesOnAtAnotherAndAfterARestart) {
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());
  WebhookClient client(replica(0).gateway.webhook_address(), kSecret);
  for (int i = 0; i < 4; ++i) ASSERT_EQ(Post(client, i).value_or(0), 200);
  const std::string cursor = ReadAll(replica(0)).at(1).cursor();
  StartReplicas(1);
  ASSERT_FALSE(HasFatalFailure());

  // The second one has followed nothing: it reads the servers.
  EXPECT_THAT(DeliveryIdsOf(ReadAll(replica(1), cursor)), ElementsAre(DeliveryId(2), DeliveryId(3)));
}

}  // namespace
}  // namespace aulm::gateway
