// The two journeys, end to end: a send goes down and its statuses come up; events survive restarts; a stop is orderly.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/integration/gateway/gateway_fixture.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

std::string DeliveryId(int number) { return absl::StrFormat("00000000-0000-4000-8000-%012d", number); }

TEST_F(GatewayTest, SendComesBackWithAMessageIdAndItsStatusesFollowAsEvents) {
  StartGateway();
  grpc::ClientContext stream_context;
  SetLimit(stream_context);
  v1::SubscribeEventsRequest subscribe;
  subscribe.set_position(v1::START_POSITION_EARLIEST);
  const auto stream = events_->SubscribeEvents(&stream_context, subscribe);
  grpc::ClientContext context;
  SetLimit(context);
  v1::SendTextResponse response;

  const grpc::Status sent = messaging_->SendText(&context, Text("+999000000001", "ping"), &response);

  ASSERT_TRUE(sent.ok()) << sent.error_message();
  EXPECT_FALSE(response.message().message_id().empty());
  EXPECT_EQ(response.message().to(), "+999000000001");
  EXPECT_EQ(response.message().status(), v1::MESSAGE_STATUS_SENT);
  EXPECT_FALSE(response.message().request_id().empty());
  EXPECT_FALSE(response.message().aulm_request_id().empty());
  EXPECT_GT(response.rate_limit().limit(), 0);
  EXPECT_TRUE(context.GetServerTrailingMetadata().contains("x-ratelimit-remaining"));
  std::vector<v1::MessageStatus> statuses;
  std::string reply;
  for (const v1::Event& event : Take(*stream, 4)) {
    if (event.has_message_status()) {
      EXPECT_EQ(event.message_status().message_id(), response.message().message_id());
      statuses.push_back(event.message_status().status());
    }
    if (event.has_inbound_message()) reply = event.inbound_message().body();
  }
  EXPECT_THAT(statuses, testing::UnorderedElementsAre(v1::MESSAGE_STATUS_SENT, v1::MESSAGE_STATUS_DELIVERED,
                                                      v1::MESSAGE_STATUS_READ));
  EXPECT_EQ(reply, "echo: ping");
  stream_context.TryCancel();
}

TEST_F(GatewayTest, ImageBytesReachAulmAsADataUri) {
  StartGateway();
  grpc::ClientContext context;
  SetLimit(context);
  v1::SendImageRequest request;
  request.set_session_id(simulator::kConnectedSession);
  request.set_to("+966512345678");
  request.mutable_image_data()->set_data("\x89PNG\r\n\x1a\n and the rest");
  request.set_caption("a picture");
  v1::SendImageResponse response;

  const grpc::Status sent = messaging_->SendImage(&context, request, &response);

  ASSERT_TRUE(sent.ok()) << sent.error_message();
  const auto requests = simulator_->control().Requests();
  ASSERT_TRUE(requests.ok());
  ASSERT_EQ(requests->size(), 1u);
  EXPECT_THAT(requests->front().body, testing::HasSubstr("data:image/png;base64,iVBORw0KGgo"));
}

TEST_F(GatewayTest, SessionStatusIsTypedAndKeepsAulmsWord) {
  StartGateway();
  ASSERT_TRUE(simulator_->control().SetSession(simulator::kConnectedSession, "hibernating").ok());
  grpc::ClientContext context;
  SetLimit(context);
  v1::GetSessionStatusRequest request;
  request.set_session_id(simulator::kConnectedSession);
  v1::GetSessionStatusResponse response;

  const grpc::Status status = sessions_->GetSessionStatus(&context, request, &response);

  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(response.session().state(), v1::SESSION_STATE_OTHER);
  EXPECT_EQ(response.session().aulm_state(), "hibernating");
  EXPECT_TRUE(response.session().has_observed_time());
}

TEST_F(GatewayTest, ResumesAfterARestartWithoutGapOrDuplicate) {
  StartGateway();
  {
    WebhookClient aulm(gateway_->webhook_address(), simulator::kWebhookSecret);
    for (int i = 1; i <= 3; ++i) {
      const auto answer =
          aulm.Post("inbound_message", DeliveryId(i),
                    InboundMessageBody(DeliveryId(i), simulator::kConnectedSession, "+966512345678", "hi"));
      ASSERT_TRUE(answer.ok());
      ASSERT_EQ(*answer, 200);
    }
  }
  std::string cursor;
  {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SubscribeEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    request.set_max_batch_events(1);
    const auto stream = events_->SubscribeEvents(&context, request);
    cursor = Take(*stream, 2).back().cursor();
    context.TryCancel();
  }

  gateway_->process().Signal(SIGKILL);
  StartGateway();
  WebhookClient aulm(gateway_->webhook_address(), simulator::kWebhookSecret);
  ASSERT_EQ(*aulm.Post("inbound_message", DeliveryId(4),
                       InboundMessageBody(DeliveryId(4), simulator::kConnectedSession, "+966512345678", "hi")),
            200);

  grpc::ClientContext context;
  SetLimit(context);
  v1::SubscribeEventsRequest request;
  request.set_after_cursor(cursor);
  const auto stream = events_->SubscribeEvents(&context, request);
  std::vector<std::string> ids;
  for (const v1::Event& event : Take(*stream, 2)) ids.push_back(event.delivery_id());
  EXPECT_THAT(ids, ElementsAre(DeliveryId(3), DeliveryId(4)));
  context.TryCancel();
}

TEST_F(GatewayTest, SigtermDrainsStreamsAndExitsWithZero) {
  StartGateway();
  grpc::ClientContext context;
  SetLimit(context);
  const auto stream = events_->SubscribeEvents(&context, v1::SubscribeEventsRequest());
  v1::SubscribeEventsResponse frame;
  ASSERT_TRUE(stream->Read(&frame));
  ASSERT_TRUE(frame.has_started());

  gateway_->process().Signal(SIGTERM);

  bool drained = false;
  while (stream->Read(&frame)) {
    EXPECT_FALSE(drained) << "a frame came after Drain";
    drained = frame.has_drain();
    if (drained) {
      EXPECT_FALSE(frame.drain().resume_cursor().empty());
    }
  }
  EXPECT_TRUE(drained);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  const auto exit_status = gateway_->process().Wait(absl::Seconds(25));
  ASSERT_TRUE(exit_status.ok()) << exit_status.status();
  EXPECT_EQ(*exit_status, 0);
}

TEST_F(GatewayTest, SecondGatewayOnTheSameStoreIsRefused) {
  StartGateway();

  const auto second = GatewayProcess::Start(options_);

  EXPECT_FALSE(second.ok());
}

TEST(GatewayProgramTest, BadSettingsExitWithTwo) {
  auto gateway = ChildProcess::Start({BinaryPath("aulm-gateway")}, {{"AULM_API_KEY", "wrong"}});
  ASSERT_TRUE(gateway.ok());

  const auto exit_status = gateway->Wait(absl::Seconds(30));

  ASSERT_TRUE(exit_status.ok());
  EXPECT_EQ(*exit_status, 2);
}

// aulm's error may quote what was sent, and a proxy's id may be anything: the caller is told, the log is not.
TEST_F(GatewayTest, WordsOfAulmReachTheCallerAndNotTheLog) {
  StartGateway();
  simulator::Fault fault;
  fault.code = "invalid_request";
  fault.message = "to +966512300099 is bad, body SECRETBODY77";
  fault.headers = {{"x-request-id", "+966512300099"}};
  ASSERT_TRUE(simulator_->control().QueueFault(fault).ok());
  grpc::ClientContext context;
  SetLimit(context);
  v1::SendTextResponse response;

  const grpc::Status status = messaging_->SendText(&context, Text("+966512300099", "SECRETBODY77"), &response);

  EXPECT_THAT(status.error_message(), testing::HasSubstr("is bad"));
  gateway_->process().Signal(SIGTERM);  // writes what is queued of the log
  ASSERT_TRUE(gateway_->process().Wait(absl::Seconds(30)).ok());
  std::ifstream file(folder_ + "/gateway.log");
  const std::string log((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  EXPECT_THAT(log, testing::HasSubstr("INVALID_REQUEST"));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("SECRETBODY77")));
  EXPECT_THAT(log, testing::Not(testing::HasSubstr("966512300099")));
}

}  // namespace
}  // namespace aulm::gateway
