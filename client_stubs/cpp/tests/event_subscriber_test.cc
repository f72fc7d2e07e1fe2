#include "aulm/gateway/client/event_subscriber.h"

#include <string>
#include <vector>

#include "aulm/gateway/client/file_cursor_store.h"
#include "aulm/gateway/client/memory_cursor_store.h"
#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using ::testing::ElementsAre;

FakeGateway::Script Three() {
  return [](const auto&, auto& stream) {
    stream.Started("0");
    stream.Events({"1", "2", "3"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  };
}

class EventSubscriberTest : public testing::Test {
 protected:
  EventSubscriberTest() {
    options_.cursor_store = &store_;
    options_.cursor_save_interval = absl::ZeroDuration();
  }

  FakeGateway gateway_;
  MemoryCursorStore store_;
  FollowOptions options_;
};

TEST_F(EventSubscriberTest, HandlerMayStopIt) {
  gateway_.OnSubscribe(Three());
  std::vector<std::string> seen;
  EventSubscriber* running = nullptr;
  EventSubscriber subscriber(gateway_.Channel(), options_, 1, [&](const v1::Event& event) {
    seen.push_back(event.cursor());
    if (seen.size() == 2) running->Stop();
    return absl::OkStatus();
  });
  running = &subscriber;
  EXPECT_TRUE(subscriber.Run().ok());
  EXPECT_THAT(seen, ElementsAre("1", "2"));
  EXPECT_EQ(*store_.Load(), "2");
}

TEST_F(EventSubscriberTest, FailedHandlerEndsItBeforeItsEvent) {
  gateway_.OnSubscribe(Three());
  EventSubscriber subscriber(gateway_.Channel(), options_, 1, [](const v1::Event& event) {
    return event.cursor() == "2" ? absl::AbortedError("told to fail") : absl::OkStatus();
  });
  EXPECT_EQ(subscriber.Run(), absl::AbortedError("told to fail"));
  EXPECT_FALSE(subscriber.error().has_value());
  EXPECT_EQ(*store_.Load(), "1");
}

TEST_F(EventSubscriberTest, UnwritableStoreEndsIt) {
  gateway_.OnSubscribe(Three());
  FileCursorStore unwritable(testing::TempDir() + "none/position");
  options_.cursor_store = &unwritable;
  EventSubscriber subscriber(gateway_.Channel(), options_, 1, [](const v1::Event&) { return absl::OkStatus(); });
  EXPECT_EQ(subscriber.Run().code(), absl::StatusCode::kNotFound);
}

TEST_F(EventSubscriberTest, RefusedRequestIsItsError) {
  gateway_.OnSubscribe([](const auto&, auto&) { return grpc::Status(grpc::StatusCode::NOT_FOUND, "no such"); });
  EventSubscriber subscriber(gateway_.Channel(), options_, 4, [](const v1::Event&) { return absl::OkStatus(); });
  EXPECT_EQ(subscriber.Run(), absl::NotFoundError("no such"));
  EXPECT_EQ(subscriber.error()->code, grpc::StatusCode::NOT_FOUND);
}

TEST_F(EventSubscriberTest, DurableSubscriptionTakesNoStoreBesides) {
  options_.request.set_subscription("orders");
  EventSubscriber subscriber(gateway_.Channel(), options_, 1, [](const v1::Event&) { return absl::OkStatus(); });
  EXPECT_EQ(subscriber.Run().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(gateway_.subscriptions().empty());
}

}  // namespace
}  // namespace aulm::gateway::client
