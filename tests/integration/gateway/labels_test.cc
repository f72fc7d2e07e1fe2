// What was given at a send comes back on the events about its message: also before the send's own answer, and after a
// crash.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "tests/integration/gateway/gateway_fixture.h"
#include "tests/simulator/fault.h"

namespace aulm::gateway {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using testing::Property;
using testing::SizeIs;
using testing::UnorderedElementsAre;

constexpr char kTrace[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

class LabelsTest : public GatewayTest {
 protected:
  // A send with the label order = 4711 and kTrace.
  v1::SendTextResponse SendLabelled(const std::string& request_id = "") {
    grpc::ClientContext context;
    SetLimit(context);
    context.AddMetadata("traceparent", kTrace);
    v1::SendTextRequest request = Text("+966512345678");
    request.set_request_id(request_id);
    (*request.mutable_labels())["order"] = "4711";
    v1::SendTextResponse response;
    const grpc::Status sent = messaging_->SendText(&context, request, &response);
    EXPECT_TRUE(sent.ok()) << sent.error_message();
    return response;
  }

  std::vector<v1::Event> TakeFromTheStart(size_t count) {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SubscribeEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    const auto stream = events_->SubscribeEvents(&context, request);
    std::vector<v1::Event> events = Take(*stream, count);
    context.TryCancel();
    return events;
  }

  static void ExpectLabelled(const std::vector<v1::Event>& events) {
    EXPECT_THAT(events, Each(Property(&v1::Event::labels, UnorderedElementsAre(Pair("order", "4711")))));
    EXPECT_THAT(events, Each(Property(&v1::Event::traceparent, kTrace)));
  }
};

TEST_F(LabelsTest, TheTraceIdIsInTheCallsLineOfTheLog) {
  StartGateway();
  SendLabelled();
  gateway_->process().Signal(SIGTERM);
  ASSERT_EQ(gateway_->process().Wait(absl::Seconds(30)).value_or(-1), 0);

  std::vector<std::string> traced;
  std::ifstream log(folder_ + "/gateway.log");
  for (std::string line; std::getline(log, line);) {
    if (absl::StrContains(line, R"("trace_id":"0af7651916cd43dd8448eb211c80319c")")) traced.push_back(line);
  }
  EXPECT_THAT(traced, ElementsAre(HasSubstr(R"("method":"SendText")")));
}

TEST_F(LabelsTest, ComeBackOnEveryStatus) {
  StartGateway();
  SendLabelled();

  const std::vector<v1::Event> statuses = TakeFromTheStart(3);

  ASSERT_THAT(statuses, SizeIs(3));
  ExpectLabelled(statuses);
}

TEST_F(LabelsTest, ComeBackOnStatusesThatOvertakeTheSendsAnswer) {
  StartGateway();
  simulator::Fault late;
  late.delay = absl::Milliseconds(300);  // the statuses are out after a few
  ASSERT_TRUE(simulator_->control().QueueFault(late).ok());
  SendLabelled();

  const std::vector<v1::Event> statuses = TakeFromTheStart(3);

  ASSERT_THAT(statuses, SizeIs(3));
  ExpectLabelled(statuses);
}

TEST_F(LabelsTest, ComeBackAfterACrash) {
  StartGateway();
  const v1::SendTextResponse sent = SendLabelled("order-4711");
  ASSERT_THAT(TakeFromTheStart(3), SizeIs(3));
  gateway_->process().Signal(SIGKILL);
  StartGateway();
  simulator::MessageStatus played;
  played.session_id = simulator::kConnectedSession;
  played.message_id = sent.message().message_id();
  played.to = "+966512345678";
  played.status = "played";
  ASSERT_TRUE(simulator_->control().SendStatus(played).ok());

  const std::vector<v1::Event> statuses = TakeFromTheStart(4);

  ASSERT_THAT(statuses, SizeIs(4));
  EXPECT_EQ(statuses.back().message_status().status(), v1::MESSAGE_STATUS_PLAYED);
  ExpectLabelled(statuses);
}

TEST_F(LabelsTest, StatusOfAMessageSentElsewhereHasNone) {
  StartGateway();
  simulator::MessageStatus status;
  status.session_id = simulator::kConnectedSession;
  status.message_id = "sent elsewhere";
  status.to = "+966512345678";
  status.status = "read";
  ASSERT_TRUE(simulator_->control().SendStatus(status).ok());

  const std::vector<v1::Event> statuses = TakeFromTheStart(1);

  ASSERT_THAT(statuses, SizeIs(1));
  EXPECT_TRUE(statuses[0].labels().empty());
}

}  // namespace
}  // namespace aulm::gateway
