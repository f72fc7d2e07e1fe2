// GetMessage: what became of a send, by either key, from what the ledger and the log keep.
#include <gmock/gmock.h>

#include <csignal>
#include <string>
#include <vector>

#include "tests/integration/gateway/gateway_fixture.h"

namespace aulm::gateway {
namespace {

using testing::SizeIs;
using testing::UnorderedElementsAre;

class GetMessageTest : public GatewayTest {
 protected:
  v1::SendTextResponse Send(const std::string& request_id, const std::string& to = "+966512345678") {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SendTextRequest request = Text(to);
    request.set_request_id(request_id);
    (*request.mutable_labels())["order"] = "4711";
    v1::SendTextResponse response;
    messaging_->SendText(&context, request, &response);
    return response;
  }

  grpc::Status Get(const v1::GetMessageRequest& request, v1::GetMessageResponse& response) {
    grpc::ClientContext context;
    SetLimit(context);
    return messaging_->GetMessage(&context, request, &response);
  }

  // Asks until `count` statuses are told: the index follows the log closely, but follows.
  v1::GetMessageResponse GetWithStatuses(const v1::GetMessageRequest& request, int count) {
    v1::GetMessageResponse got;
    grpc::Status status = Get(request, got);
    for (int tries = 0; tries < 1000 && status.ok() && got.statuses_size() < count; ++tries) status = Get(request, got);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return got;
  }

  static v1::GetMessageRequest ByRequest(const std::string& request_id) {
    v1::GetMessageRequest request;
    request.set_request_id(request_id);
    return request;
  }

  static v1::GetMessageRequest ByMessage(const std::string& message_id) {
    v1::GetMessageRequest request;
    request.mutable_message()->set_session_id(simulator::kConnectedSession);
    request.mutable_message()->set_message_id(message_id);
    return request;
  }

  // The log's events from the start, once there are `count`.
  std::vector<v1::Event> WaitForEvents(size_t count) {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SubscribeEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    const auto stream = events_->SubscribeEvents(&context, request);
    std::vector<v1::Event> events = Take(*stream, count);
    context.TryCancel();
    return events;
  }
};

TEST_F(GetMessageTest, TellsTheSendAndEachStatusByEitherKey) {
  StartGateway();
  const v1::SentMessage sent = Send("order-4711").message();
  const std::vector<v1::Event> events = WaitForEvents(3);

  for (const v1::GetMessageRequest& request : {ByRequest("order-4711"), ByMessage(sent.message_id())}) {
    SCOPED_TRACE(request.ShortDebugString());
    const v1::GetMessageResponse got = GetWithStatuses(request, 3);
    EXPECT_EQ(got.outcome(), v1::SEND_OUTCOME_SENT);
    EXPECT_EQ(got.message().SerializeAsString(), sent.SerializeAsString());
    EXPECT_EQ(got.request_id(), "order-4711");
    EXPECT_EQ(got.labels().at("order"), "4711");
    EXPECT_TRUE(got.has_settled_time());
    ASSERT_THAT(got.statuses(), SizeIs(3));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(got.statuses(i).cursor(), events[static_cast<size_t>(i)].cursor());
      EXPECT_EQ(got.statuses(i).status(), events[static_cast<size_t>(i)].message_status().status());
      EXPECT_EQ(got.statuses(i).ingested_time().SerializeAsString(),
                events[static_cast<size_t>(i)].ingested_time().SerializeAsString());
      EXPECT_TRUE(got.statuses(i).has_occurred_time());
    }
  }
}

TEST_F(GetMessageTest, FindsASendWhoseIdTheGatewayMade) {
  StartGateway();
  const v1::SentMessage sent = Send("").message();
  v1::GetMessageResponse got;

  ASSERT_TRUE(Get(ByRequest(sent.request_id()), got).ok());

  EXPECT_EQ(got.message().message_id(), sent.message_id());
}

TEST_F(GetMessageTest, StatusesThatTheLogHasSurviveAKill) {
  StartGateway();
  const v1::SentMessage sent = Send("order-4711").message();
  ASSERT_THAT(WaitForEvents(3), SizeIs(3));
  gateway_->process().Signal(SIGKILL);
  StartGateway();

  // The log is read again in the background.
  const v1::GetMessageResponse got = GetWithStatuses(ByMessage(sent.message_id()), 3);

  std::vector<std::string> words;
  for (const v1::MessageStatusRecord& status : got.statuses()) words.push_back(status.aulm_status());
  EXPECT_THAT(words, UnorderedElementsAre("sent", "delivered", "read"));
}

TEST_F(GetMessageTest, LostAnswerIsAnUnknownOutcomeWithoutAMessage) {
  StartGateway();
  Send("order-4711", "+999000000005");  // accepted, and the connection closes
  v1::GetMessageResponse got;

  ASSERT_TRUE(Get(ByRequest("order-4711"), got).ok());

  EXPECT_EQ(got.outcome(), v1::SEND_OUTCOME_UNKNOWN);
  EXPECT_FALSE(got.has_message());
  EXPECT_EQ(got.labels().at("order"), "4711");
}

TEST_F(GetMessageTest, WhatWasNotSentIsNotFound) {
  StartGateway();
  Send("order-4711", "+999000001400");
  v1::GetMessageResponse got;

  const grpc::Status status = Get(ByRequest("order-4711"), got);

  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_details(), testing::HasSubstr("MESSAGE_NOT_FOUND"));
  EXPECT_EQ(Get(ByMessage("nobody's"), got).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(GetMessageTest, MissingKeyIsInvalid) {
  StartGateway();
  v1::GetMessageResponse got;

  EXPECT_EQ(Get({}, got).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

}  // namespace
}  // namespace aulm::gateway
