// Faults of the API over a real socket: what a client sees, and whether the simulator took the message.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <string>

#include "absl/strings/str_cat.h"
#include "tests/simulator/simulator_process.h"
#include "tests/simulator/test_client.h"
#include "tests/simulator/timestamps.h"

namespace aulm::simulator {
namespace {

using ::testing::HasSubstr;

class FaultInjectionTest : public ::testing::Test {
 protected:
  void Start(std::vector<std::string> arguments = {}) {
    auto started = SimulatorProcess::Start(std::move(arguments));
    ASSERT_TRUE(started.ok()) << started.status();
    simulator_ = *std::move(started);
    client_ = std::make_unique<TestClient>(simulator_->address());
  }

  void Queue(const Fault& fault) {
    const absl::Status status = simulator_->control().QueueFault(fault);
    ASSERT_TRUE(status.ok()) << status;
  }

  TestAnswer Send() { return client_->SendText(TextTo("+966512345678")); }

  // How many of the recorded sends were accepted.
  int Accepted() {
    int accepted = 0;
    const auto requests = simulator_->control().Requests();
    for (const RecordedRequest& request : *requests) accepted += request.message_id.empty() ? 0 : 1;
    return accepted;
  }

  std::unique_ptr<SimulatorProcess> simulator_;
  std::unique_ptr<TestClient> client_;
};

TEST_F(FaultInjectionTest, AnyAnswerCanBeGiven) {
  Start();
  Fault fault;
  fault.status = 502;
  fault.headers = {{"content-type", "text/html"}, {"x-from", "proxy"}};
  fault.body = "<html>Bad gateway</html>";
  Queue(fault);
  const TestAnswer answer = Send();
  EXPECT_EQ(answer.status, 502);
  EXPECT_EQ(answer.body, "<html>Bad gateway</html>");
  EXPECT_EQ(answer.headers.at("content-type"), "text/html");
  EXPECT_EQ(answer.headers.at("x-from"), "proxy");
  EXPECT_EQ(Accepted(), 0);
}

TEST_F(FaultInjectionTest, ARequestIdCanBeGiven) {
  Start();
  Fault fault;
  fault.status = 500;
  fault.headers = {{"X-Request-Id", "mine"}};
  Queue(fault);
  EXPECT_EQ(Send().headers.at("x-request-id"), "mine");
}

TEST_F(FaultInjectionTest, AnUnknownCodeCanBeGiven) {
  Start();
  Fault fault;
  fault.code = "brand_new_code";
  fault.message = "new";
  fault.status = 418;
  Queue(fault);
  const TestAnswer answer = Send();
  EXPECT_EQ(answer.status, 418);
  EXPECT_EQ(answer.code(), "brand_new_code");
}

TEST_F(FaultInjectionTest, ATwoHundredOneCanBeEmpty) {
  Start();
  Fault fault;
  fault.status = 201;
  fault.accepted = true;
  Queue(fault);
  const TestAnswer answer = Send();
  EXPECT_EQ(answer.status, 201);
  EXPECT_EQ(answer.body, "");
  EXPECT_EQ(Accepted(), 1);
}

TEST_F(FaultInjectionTest, RawBytesCanBeGiven) {
  Start();
  Fault fault;
  fault.raw = "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nshort";
  Queue(fault);
  EXPECT_EQ(client_->Raw("GET /v1/x HTTP/1.1\r\nhost: a\r\n\r\n"), fault.raw);
}

TEST_F(FaultInjectionTest, RetryAfterCanBeADate) {
  Start();
  Fault fault;
  fault.code = "service_unavailable";
  fault.retry_after = "Wed, 21 Oct 2026 07:28:00 GMT";
  Queue(fault);
  EXPECT_EQ(Send().headers.at("retry-after"), "Wed, 21 Oct 2026 07:28:00 GMT");
}

TEST_F(FaultInjectionTest, AnErrorCanBeALie) {
  Start();
  Fault fault;
  fault.code = "messaging_service_timeout";
  fault.accepted = true;
  Queue(fault);
  EXPECT_EQ(Send().status, 504);
  EXPECT_EQ(Accepted(), 1);
}

TEST_F(FaultInjectionTest, ADelayedAnswerComesLate) {
  Start();
  Fault fault;
  fault.delay = absl::Milliseconds(80);
  Queue(fault);
  const int64_t before = MonotonicMicros();
  EXPECT_EQ(Send().status, 201);
  EXPECT_GE(MonotonicMicros() - before, 80'000);
}

TEST_F(FaultInjectionTest, ALostAnswerWasAccepted) {
  Start();
  Fault fault;
  fault.drop = Fault::Drop::kAnswer;
  Queue(fault);
  EXPECT_EQ(Send().status, 0);
  EXPECT_EQ(Accepted(), 1);
}

TEST_F(FaultInjectionTest, ADropAfterReadingIsNotAccepted) {
  Start();
  EXPECT_EQ(Send().status, 201);  // the connection that dies is a kept-alive one
  Fault fault;
  fault.drop = Fault::Drop::kAfterRead;
  Queue(fault);
  const TestAnswer answer = Send();
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.error, HasSubstr("end of stream"));
  EXPECT_EQ(Accepted(), 1);
  EXPECT_EQ(simulator_->control().Requests()->size(), 2u);
}

TEST_F(FaultInjectionTest, ADropBeforeReadingIsAResetAndNotRecorded) {
  Start();
  Fault fault;
  fault.drop = Fault::Drop::kBeforeRead;
  fault.path = "/v1/messages";
  Queue(fault);
  const TestAnswer answer = Send();
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.error, HasSubstr("reset"));
  EXPECT_TRUE(simulator_->control().Requests()->empty());
  EXPECT_EQ(Send().status, 201);
}

TEST_F(FaultInjectionTest, AnAnswerCanBreakOffInTheMiddle) {
  Start();
  Fault fault;
  fault.drop = Fault::Drop::kMidAnswer;
  Queue(fault);
  const TestAnswer answer = Send();
  EXPECT_EQ(answer.status, 0);
  EXPECT_THAT(answer.error, HasSubstr("partial"));
  EXPECT_EQ(Accepted(), 1);
}

TEST_F(FaultInjectionTest, ADropCanBeAReset) {
  Start();
  Fault fault;
  fault.drop = Fault::Drop::kAnswer;
  fault.reset = true;
  Queue(fault);
  EXPECT_THAT(Send().error, HasSubstr("reset"));
}

TEST_F(FaultInjectionTest, AFaultWaitsForTheRequestThatItFits) {
  Start();
  Fault fault;
  fault.code = "service_unavailable";
  fault.body_contains = "the needle";
  Queue(fault);
  EXPECT_EQ(Send().status, 201);
  EXPECT_EQ(client_->SendText(TextTo("+966512345678", "with the needle")).status, 503);
}

TEST_F(FaultInjectionTest, MagicNumbersDropDelayAndLose) {
  Start({"--slow-ms=60"});
  EXPECT_EQ(client_->SendText(TextTo("+999000000005")).status, 0);
  EXPECT_EQ(Accepted(), 1);
  EXPECT_EQ(client_->SendText(TextTo("+999000000006")).status, 0);
  EXPECT_EQ(Accepted(), 1);
  const int64_t before = MonotonicMicros();
  EXPECT_EQ(client_->SendText(TextTo("+999000000007")).status, 201);
  EXPECT_GE(MonotonicMicros() - before, 60'000);
  EXPECT_EQ(client_->SendText(TextTo("+999000000008")).code(), "messaging_service_timeout");
  EXPECT_EQ(client_->SendText(TextTo("+999000000009")).code(), "messaging_service_error");
  EXPECT_EQ(Accepted(), 4);
}

TEST_F(FaultInjectionTest, TheSameSeedGivesTheSameFaults) {
  const auto run = [this](const char* seed) {
    Start({seed, "--fault-drop=0.2", "--fault-lose-answer=0.2", "--fault-error=0.2"});
    std::string statuses;
    for (int i = 0; i < 60; ++i) absl::StrAppend(&statuses, Send().status, " ");
    return absl::StrCat(statuses, "accepted ", Accepted());
  };
  const std::string first = run("--seed=5");
  EXPECT_THAT(first, HasSubstr("0 "));
  EXPECT_THAT(first, HasSubstr("201 "));
  EXPECT_EQ(first, run("--seed=5"));
  EXPECT_NE(first, run("--seed=6"));
}

TEST_F(FaultInjectionTest, ABadFaultIsRefusedByName) {
  Start();
  const auto answer = simulator_->control().Call("POST", "faults", boost::json::object{{"dealy_ms", 5}});
  EXPECT_THAT(std::string(answer.status().message()), HasSubstr("dealy_ms: unknown field"));
  EXPECT_THAT(std::string(simulator_->control().Call("GET", "nothing").status().message()), HasSubstr("README"));
}

}  // namespace
}  // namespace aulm::simulator
