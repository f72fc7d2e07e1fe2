#include "aulm/gateway/client/send_retry.h"

#include <deque>
#include <string>
#include <utility>
#include <vector>

#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;

grpc::Status Told(StatusCode code, const std::string& reason, const std::string& outcome,
                  const std::string& domain = "aulm-gateway", int retry_seconds = 0) {
  google::rpc::ErrorInfo info;
  info.set_reason(reason);
  info.set_domain(domain);
  (*info.mutable_metadata())["outcome"] = outcome;
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_seconds(retry_seconds);
  std::vector<const google::protobuf::Message*> details = {&info};
  if (retry_seconds > 0) details.push_back(&retry);
  return StatusWith(code, "it went wrong", details);
}

grpc::Status Bare() { return grpc::Status(StatusCode::UNAVAILABLE, "broken"); }

class SendRetryTest : public testing::Test {
 protected:
  // Sends with a timeout of 30 s while the tries end so, one after the other.
  std::optional<CallError> Send(std::deque<grpc::Status> answers, bool retry = true) {
    return TrySend("rid", absl::Seconds(30), retry,
                   [&](absl::Duration left) {
                     lefts_.push_back(left);
                     grpc::Status answer = answers.front();
                     answers.pop_front();
                     return answer;
                   },
                   {.now = [this] { return now_; },
                    .wait =
                        [this](absl::Duration wait, bool connecting) {
                          now_ += wait;
                          connecting_.push_back(connecting);
                        }});
  }

  absl::Time now_ = absl::UnixEpoch();
  std::vector<absl::Duration> lefts_;  // of each try
  std::vector<bool> connecting_;       // of each wait
};

TEST_F(SendRetryTest, WhatWasNotSentIsTriedAgain) {
  EXPECT_EQ(Send({Told(StatusCode::UNAVAILABLE, "DRAINING", "not_sent"), Bare(), grpc::Status::OK}), std::nullopt);
  EXPECT_EQ(lefts_.size(), 3);
  EXPECT_THAT(connecting_, ElementsAre(false, true));
}

TEST_F(SendRetryTest, EachTryGetsTheTimeThatIsLeft) {
  Send({Told(StatusCode::UNAVAILABLE, "SERVICE_UNAVAILABLE", "not_sent", "aulm.io", 7), grpc::Status::OK});
  ASSERT_EQ(lefts_.size(), 2);
  EXPECT_EQ(lefts_[0], absl::Seconds(30));
  EXPECT_LE(lefts_[1], absl::Seconds(23));
  EXPECT_GE(lefts_[1], absl::Seconds(21.5));
}

TEST_F(SendRetryTest, UnknownOutcomeIsNotRepeated) {
  const auto error = Send({Told(StatusCode::UNAVAILABLE, "NEW_REASON", "unknown")});
  EXPECT_EQ(error->outcome, Outcome::kUnknown);
  EXPECT_EQ(error->request_id, "rid");
}

TEST_F(SendRetryTest, WithoutTimeNothingIsTried) {
  for (const absl::Duration timeout : {absl::ZeroDuration(), absl::Seconds(-1)}) {
    const auto error = TrySend("rid", timeout, true, [](absl::Duration) { return grpc::Status::OK; },
                               {.now = [this] { return now_; }, .wait = nullptr});
    ASSERT_TRUE(error.has_value());
    EXPECT_EQ(error->code, StatusCode::DEADLINE_EXCEEDED);
    EXPECT_EQ(error->outcome, Outcome::kNotSent);
    EXPECT_EQ(error->request_id, "rid");
  }
}

TEST_F(SendRetryTest, NoRetryMeansOneTry) {
  const auto error = Send({Bare()}, /*retry=*/false);
  EXPECT_EQ(error->outcome, Outcome::kUnknown);
  EXPECT_EQ(lefts_.size(), 1);
}

TEST_F(SendRetryTest, RetryInfoBeyondTheDeadlineIsNotWaitedFor) {
  const auto error = Send({Told(StatusCode::UNAVAILABLE, "BREAKER_OPEN", "not_sent", "aulm-gateway", 3600)});
  EXPECT_EQ(error->retry_after, absl::Hours(1));
  EXPECT_EQ(error->outcome, Outcome::kNotSent);
}

TEST_F(SendRetryTest, DoubtOutlivesAnErrorThatDidNotLookTheSendUp) {
  EXPECT_EQ(Send({Bare(), Told(StatusCode::RESOURCE_EXHAUSTED, "OVERLOADED", "not_sent")})->outcome, Outcome::kUnknown);
}

TEST_F(SendRetryTest, AulmsAnswerEndsTheDoubt) {
  EXPECT_EQ(Send({Bare(), Told(StatusCode::NOT_FOUND, "SESSION_NOT_FOUND", "not_sent", "aulm.io")})->outcome,
            Outcome::kNotSent);
}

TEST_F(SendRetryTest, GatewayThatStaysAwayEndsWithTheLastErrorWithinTheDeadline) {
  const auto error = Send(std::deque<grpc::Status>(100, Bare()));
  EXPECT_EQ(error->code, StatusCode::UNAVAILABLE);
  EXPECT_LT(now_ - absl::UnixEpoch(), absl::Seconds(30));
  EXPECT_GT(lefts_.size(), 6);
}

}  // namespace
}  // namespace aulm::gateway::client
