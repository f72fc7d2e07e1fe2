#include <csignal>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "client_stubs/cpp/tests/aulmctl_test.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"

namespace aulm::gateway::ctl {
namespace {

using grpc::StatusCode;
using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr absl::Duration kPatience = absl::Seconds(30);
constexpr char kSession[] = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed";

v1::Event Inbound(const std::string& body) {
  v1::Event event;
  event.set_cursor("c1");
  event.set_session_id(kSession);
  event.set_type(v1::EVENT_TYPE_INBOUND_MESSAGE);
  event.mutable_ingested_time()->set_seconds(1'800'000'000);
  event.mutable_ingested_time()->set_nanos(42'000'000);
  event.mutable_inbound_message()->set_from("+966512345678");
  event.mutable_inbound_message()->set_message_id("m-1");
  event.mutable_inbound_message()->set_message_type("text");
  event.mutable_inbound_message()->set_body(body);
  return event;
}

class AulmctlEventsTest : public AulmctlTest {
 protected:
  // One page with these events, at the end of the log.
  void Page(const std::vector<v1::Event>& events) {
    gateway_.OnReadEvents([this, events](const v1::ReadEventsRequest& request, v1::ReadEventsResponse& response) {
      read_ = request;
      for (const v1::Event& event : events) *response.add_events() = event;
      response.set_end_of_log(true);
      return grpc::Status::OK;
    });
  }
  std::string ReadOut(const v1::Event& event, std::vector<std::string> flags = {}) {
    Page({event});
    flags.insert(flags.begin(), {"events", "read"});
    return aulmctl_.Run(flags).out;
  }

  v1::ReadEventsRequest read_;
};

TEST_F(AulmctlEventsTest, InboundTextIsOneLine) {
  EXPECT_EQ(ReadOut(Inbound("hi there")), "2027-01-15T08:00:00.042Z  message  1b9d6bcd  +966512345678   hi there\n");
}

TEST_F(AulmctlEventsTest, StatusIsOneLineWithItsMessageAndLabels) {
  v1::Event event = Inbound("");
  event.mutable_message_status()->set_to("+966512345678");
  event.mutable_message_status()->set_message_id("sim_42");
  event.mutable_message_status()->set_aulm_status("delivered");
  (*event.mutable_labels())["b"] = "2";
  (*event.mutable_labels())["a"] = "1";
  event.set_test(true);
  EXPECT_EQ(ReadOut(event),
            "2027-01-15T08:00:00.042Z  status   1b9d6bcd  +966512345678   delivered  sim_42  {a=1 b=2}  [test]\n");
}

TEST_F(AulmctlEventsTest, OtherEventsAreShownToo) {
  v1::Event state = Inbound("");
  state.mutable_session_state()->mutable_session()->set_aulm_state("disconnected");
  EXPECT_EQ(ReadOut(state), "2027-01-15T08:00:00.042Z  session  1b9d6bcd  -               disconnected\n");
  v1::Event unknown = Inbound("");
  unknown.mutable_unknown();
  unknown.set_event_name("call_received");
  unknown.set_session_id("");
  EXPECT_EQ(ReadOut(unknown), "2027-01-15T08:00:00.042Z  unknown  -         -               call_received\n");
}

TEST_F(AulmctlEventsTest, SenderCannotSteerTheTerminal) {
  EXPECT_THAT(ReadOut(Inbound("a\x1b[31mb\nc\rd\u202ee\u0085f")), HasSubstr("a\\x1b[31mb\\nc\\rd\\u202ee\\x85f\n"));
}

TEST_F(AulmctlEventsTest, ArabicPassesUnchanged) {
  EXPECT_THAT(ReadOut(Inbound("مرحبا \u200f٥")), HasSubstr("مرحبا \u200f٥\n"));
}

TEST_F(AulmctlEventsTest, RawAsksForTheBodyAndShowsIt) {
  v1::Event event = Inbound("hi");
  event.set_raw_body("{\"event\":\n1}");
  EXPECT_THAT(ReadOut(event, {"--raw"}), HasSubstr("\n    {\"event\":\\n1}\n"));
  EXPECT_TRUE(read_.include_raw_body());
}

TEST_F(AulmctlEventsTest, JsonIsTheProtoOnOneLine) {
  EXPECT_EQ(ReadOut(Inbound("hi"), {"--json"}),
            absl::StrCat(R"({"cursor":"YzE=","sessionId":")", kSession,
                         R"(","type":"EVENT_TYPE_INBOUND_MESSAGE","ingestedTime":"2027-01-15T08:00:00.042Z",)",
                         R"("inboundMessage":{"from":"+966512345678","messageId":"m-1","messageType":"text",)",
                         R"("body":"hi"}})", "\n"));
}

TEST_F(AulmctlEventsTest, FiltersArePassedOn) {
  Page({});
  const Finished run = aulmctl_.Run({"events",      "read",
                                     "--type",      "inbound_message,message_status",
                                     "--session",   "s1",
                                     "--session",   "s2",
                                     "--peer",      "+966500000001",
                                     "--message",   "m-1",
                                     "--status",    "failed",
                                     "--test",      "only",
                                     "--page-size", "7",
                                     "--from",      "latest"});
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(read_.filter().types(), ElementsAre(v1::EVENT_TYPE_INBOUND_MESSAGE, v1::EVENT_TYPE_MESSAGE_STATUS));
  EXPECT_THAT(read_.filter().session_ids(), ElementsAre("s1", "s2"));
  EXPECT_THAT(read_.filter().peers(), ElementsAre("+966500000001"));
  EXPECT_THAT(read_.filter().message_ids(), ElementsAre("m-1"));
  EXPECT_THAT(read_.filter().statuses(), ElementsAre(v1::MESSAGE_STATUS_FAILED));
  EXPECT_EQ(read_.filter().test_events(), v1::TEST_EVENTS_ONLY);
  EXPECT_EQ(read_.page_size(), 7);
  EXPECT_EQ(read_.position(), v1::START_POSITION_LATEST);
}

TEST_F(AulmctlEventsTest, ReadStartsAtTheEarliest) {
  Page({});
  aulmctl_.Run({"events", "read"});
  EXPECT_EQ(read_.position(), v1::START_POSITION_EARLIEST);
}

TEST_F(AulmctlEventsTest, FromTakesATime) {
  Page({});
  aulmctl_.Run({"events", "read", "--from", "2027-01-15T11:00:00.5+03:00"});
  EXPECT_EQ(read_.start_time().seconds(), 1'800'000'000);
  EXPECT_EQ(read_.start_time().nanos(), 500'000'000);
}

TEST_F(AulmctlEventsTest, FromTakesACursorInBothAlphabets) {
  Page({});
  aulmctl_.Run({"events", "read", "--from", "cursor:-_8"});
  EXPECT_EQ(read_.after_cursor(), "\xfb\xff");
  aulmctl_.Run({"events", "read", "--from", "cursor:+/8="});
  EXPECT_EQ(read_.after_cursor(), "\xfb\xff");
}

TEST_F(AulmctlEventsTest, WrongValuesAreUsageErrorsThatNameTheRightOnes) {
  const Finished type = aulmctl_.Run({"events", "read", "--type", "inbound"});
  EXPECT_EQ(type.exit_code, 2);
  EXPECT_THAT(type.err, AllOf(HasSubstr("--type"), HasSubstr("inbound_message, message_status")));
  const Finished from = aulmctl_.Run({"events", "read", "--from", "yesterday"});
  EXPECT_EQ(from.exit_code, 2);
  EXPECT_THAT(from.err, AllOf(HasSubstr("--from"), HasSubstr("2026-05-28T10:15:00Z")));
  EXPECT_EQ(aulmctl_.Run({"events", "read", "--from", "cursor:*"}).exit_code, 2);
  EXPECT_EQ(aulmctl_.Run({"events", "read", "--page-size", "1001"}).exit_code, 2);
  EXPECT_EQ(aulmctl_.Run({"events", "follow", "--count", "0"}).exit_code, 2);
  EXPECT_EQ(gateway_.calls(), 0);
}

// Pages "p1" (empty, filtered out), "p2" and "p3" (the last), each with one event but the first.
grpc::Status ThreePages(const v1::ReadEventsRequest& request, v1::ReadEventsResponse& response) {
  const std::string& after = request.after_cursor();
  if (after.empty()) {
    response.set_next_cursor("p1");
  } else if (after == "p1") {
    *response.add_events() = Inbound("second");
    response.set_next_cursor("p2");
  } else {
    *response.add_events() = Inbound("third");
    response.set_next_cursor("p3");
    response.set_end_of_log(true);
  }
  return grpc::Status::OK;
}

TEST_F(AulmctlEventsTest, ReadPrintsOnePageAndSaysWhereTheNextStarts) {
  gateway_.OnReadEvents(ThreePages);
  const Finished run = aulmctl_.Run({"events", "read"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, HasSubstr("second"));
  EXPECT_THAT(run.out, Not(HasSubstr("third")));
  EXPECT_EQ(run.err, "aulmctl: there is more: --from cursor:cDI\n");
}

TEST_F(AulmctlEventsTest, ReadAllGoesToTheEndOfTheLog) {
  gateway_.OnReadEvents(ThreePages);
  const Finished run = aulmctl_.Run({"events", "read", "--all"});
  EXPECT_EQ(run.exit_code, 0);
  EXPECT_THAT(run.out, AllOf(HasSubstr("second"), HasSubstr("third")));
  EXPECT_EQ(run.err, "");
}

TEST_F(AulmctlEventsTest, ExpiredCursorSaysWhereTheLogStarts) {
  google::rpc::ErrorInfo info;
  info.set_reason("CURSOR_EXPIRED");
  info.set_domain("aulm-gateway");
  (*info.mutable_metadata())["earliest_cursor"] = "cDI";
  const grpc::Status status = client::StatusWith(StatusCode::OUT_OF_RANGE, "too old", {&info});
  gateway_.OnSubscribe([status](const auto&, auto&) { return status; });
  const Finished run = aulmctl_.Run({"events", "follow", "--from", "cursor:cDE"});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, AllOf(HasSubstr("OUT_OF_RANGE CURSOR_EXPIRED"), HasSubstr("--from cursor:cDI")));
}

TEST_F(AulmctlEventsTest, OutputThatCannotBeWrittenEndsIt) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  const std::string cursor_file = folder_ + "/cursor";
  const Finished run =
      aulmctl_.Bash(absl::StrCat("exec \"$AULMCTL\" events follow --cursor-file ", cursor_file, " > /dev/full"));
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, HasSubstr("No space left"));
  EXPECT_EQ(ReadFile(cursor_file), "");  // what nobody saw is shown again
}

// The message ids that follow printed.
std::string ReadMessage(ChildProcess& process) {
  const absl::StatusOr<std::string> line = process.ReadLine(kPatience);
  if (!line.ok()) return std::string(line.status().message());
  const std::vector<std::string> parts = absl::StrSplit(*line, "\"messageId\":\"");
  return parts.size() < 2 ? *line : parts[1].substr(0, parts[1].find('"'));
}

TEST_F(AulmctlEventsTest, FollowStartsAtTheLatestAndEndsCleanlyOnASignal) {
  for (const int signal : {SIGINT, SIGTERM}) {
    gateway_.OnSubscribe([](const auto&, auto& stream) {
      stream.Started("0");
      stream.Events({"1"});
      stream.AwaitCancellation();
      return grpc::Status::OK;
    });
    ChildProcess follow = aulmctl_.Start({"events", "follow", "--json"});
    EXPECT_EQ(ReadMessage(follow), "m-1");
    follow.Signal(signal);
    EXPECT_EQ(follow.Wait(kPatience).value_or(-1), 0);
    EXPECT_EQ(ReadFile(aulmctl_.stderr_path()), "");
  }
  EXPECT_EQ(gateway_.subscriptions().at(0).position(), v1::START_POSITION_LATEST);
}

TEST_F(AulmctlEventsTest, FollowEndsOnASignalAlsoWhileNoGatewayIsThere) {
  aulmctl_.environment()["AULM_GATEWAY"] = "127.0.0.1:1";
  ChildProcess follow = aulmctl_.Start({"events", "follow"});
  while (ReadFile(aulmctl_.stderr_path()).find("trying again") == std::string::npos) {
    ASSERT_FALSE(follow.ReadLine(absl::Milliseconds(5)).ok());
  }
  follow.Signal(SIGTERM);
  EXPECT_EQ(follow.Wait(kPatience).value_or(-1), 0);
}

TEST_F(AulmctlEventsTest, FollowResumesOverARestartOfTheGateway) {
  auto first = std::make_unique<client::FakeGateway>();
  const int port = first->port();
  first->OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1", "2"}, "5");
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  aulmctl_.environment()["AULM_GATEWAY"] = first->address();
  ChildProcess follow = aulmctl_.Start({"events", "follow", "--json", "--count", "3"});
  EXPECT_EQ(ReadMessage(follow), "m-1");
  EXPECT_EQ(ReadMessage(follow), "m-2");
  first.reset();
  client::FakeGateway second(port);
  second.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("6");
    stream.Events({"6"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_EQ(ReadMessage(follow), "m-6");
  EXPECT_EQ(follow.Wait(kPatience).value_or(-1), 0);
  EXPECT_EQ(second.subscriptions().at(0).after_cursor(), "5");
  EXPECT_THAT(ReadFile(aulmctl_.stderr_path()), AllOf(HasSubstr("trying again in"), HasSubstr("connected again")));
}

TEST_F(AulmctlEventsTest, CursorFileCarriesThePositionToTheNextRun) {
  const std::string cursor_file = folder_ + "/cursor";
  const auto serve = [](const v1::SubscribeEventsRequest& request, client::FakeGateway::Stream& stream) {
    const int at = request.has_after_cursor() ? std::stoi(request.after_cursor()) : 0;
    for (int i = at + 1; i <= at + 3; ++i) stream.Events({absl::StrCat(i)});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  };
  gateway_.OnSubscribe(serve);
  const std::vector<std::string> arguments = {"events",   "follow",        "--json",   "--from",
                                              "earliest", "--cursor-file", cursor_file};
  // One run that ends by its count, one by a signal, one more: no event twice, none left out.
  std::vector<std::string> counted = arguments;
  counted.insert(counted.end(), {"--count", "2"});
  const Finished run = aulmctl_.Run(counted);
  EXPECT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("\"m-1\""), HasSubstr("\"m-2\"")));
  ChildProcess second = aulmctl_.Start(arguments);
  for (const char* id : {"m-3", "m-4", "m-5"}) EXPECT_EQ(ReadMessage(second), id);
  second.Signal(SIGTERM);
  EXPECT_EQ(second.Wait(kPatience).value_or(-1), 0);
  ChildProcess third = aulmctl_.Start(arguments);
  EXPECT_EQ(ReadMessage(third), "m-6");
}

TEST_F(AulmctlEventsTest, DamagedCursorFileIsNotStartedOver) {
  const std::string cursor_file = folder_ + "/cursor";
  std::ofstream(cursor_file) << "not a cursor!";
  const Finished run = aulmctl_.Run({"events", "follow", "--cursor-file", cursor_file});
  EXPECT_EQ(run.exit_code, 1);
  EXPECT_THAT(run.err, AllOf(HasSubstr(cursor_file), HasSubstr("holds no cursor")));
  EXPECT_EQ(ReadFile(cursor_file), "not a cursor!");
}

}  // namespace
}  // namespace aulm::gateway::ctl
