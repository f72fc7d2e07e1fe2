#include "aulm/gateway/client/shared_consumer.h"

#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class SharedConsumerTest : public testing::Test {
 protected:
  SharedConsumerTest() {
    options_.subscription = "orders";
    HasMode(v1::SUBSCRIPTION_MODE_SHARED);
    gateway_.OnSubscribe([](const auto&, auto& stream) {
      stream.Shared({"1"});
      stream.AwaitCancellation();
      return grpc::Status::OK;
    });
    gateway_.OnAcknowledge([this](const v1::AcknowledgeEventsRequest& request, auto&) {
      absl::MutexLock lock(&mu_);
      for (const v1::Settlement& settlement : request.settlements()) settled_.push_back(settlement.action());
      return grpc::Status::OK;
    });
  }

  void HasMode(v1::SubscriptionMode mode) {
    gateway_.OnGetSubscription([mode](const auto&, v1::GetSubscriptionResponse& response) {
      response.mutable_subscription()->set_mode(mode);
      return grpc::Status::OK;
    });
  }

  // Consumes with a handler that fails, until it did.
  void Fail() {
    SharedConsumer* running = nullptr;
    SharedConsumer consumer(gateway_.Channel(), options_, [&](const v1::Delivery&) {
      running->Stop();
      return absl::AbortedError("told to fail");
    });
    running = &consumer;
    EXPECT_TRUE(consumer.Run().ok());
    absl::MutexLock lock(&mu_);
    EXPECT_THAT(settled_, ElementsAre(v1::SETTLEMENT_ACTION_RETRY));
  }

  absl::Mutex mu_;
  std::vector<v1::SettlementAction> settled_ ABSL_GUARDED_BY(mu_);
  FakeGateway gateway_;
  ConsumeOptions options_;
};

TEST_F(SharedConsumerTest, CursorSubscriptionIsNotConsumed) {
  HasMode(v1::SUBSCRIPTION_MODE_CURSOR);
  SharedConsumer consumer(gateway_.Channel(), options_, [](const v1::Delivery&) { return Verdict::Ack(); });
  EXPECT_EQ(consumer.Run().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(consumer.error()->reason, "SUBSCRIPTION_MODE");
  EXPECT_THAT(consumer.error()->message, HasSubstr("orders has mode CURSOR: use EventFollower or EventSubscriber"));
  EXPECT_TRUE(gateway_.subscriptions().empty());
}

TEST_F(SharedConsumerTest, VerdictThatSettlesNothingEndsIt) {
  SharedConsumer consumer(gateway_.Channel(), options_,
                          [](const v1::Delivery&) { return Verdict{v1::SETTLEMENT_ACTION_EXTEND, {}}; });
  EXPECT_EQ(consumer.Run().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(consumer.error()->message, HasSubstr("ACK, RETRY, PARK or SKIP"));
}

TEST_F(SharedConsumerTest, FailedHandlerIsToldOnStderr) {
  testing::internal::CaptureStderr();
  Fail();
  EXPECT_THAT(testing::internal::GetCapturedStderr(), HasSubstr("delivered again: ABORTED: told to fail"));
}

TEST_F(SharedConsumerTest, FailedHandlerIsToldAsANotice) {
  std::vector<std::string> told;
  options_.notices.on_handler_failed = [&](const absl::Status& status, const v1::Delivery& delivery) {
    told.push_back(delivery.ack_token() + " " + std::string(status.message()));
  };
  testing::internal::CaptureStderr();
  Fail();
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
  EXPECT_THAT(told, ElementsAre("1 told to fail"));
}

}  // namespace
}  // namespace aulm::gateway::client
