#include "aulm/gateway/client/event_follower.h"

#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using grpc::StatusCode;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

grpc::Status Broken() { return grpc::Status(StatusCode::UNAVAILABLE, "broken"); }

class RecordingCursorStore : public CursorStore {
 public:
  absl::StatusOr<std::string> Load() override {
    if (!load_error.ok()) return load_error;
    return saved.empty() ? "" : saved.back();
  }
  absl::Status Save(absl::string_view cursor) override {
    if (!save_error.ok()) return save_error;
    saved.emplace_back(cursor);
    return absl::OkStatus();
  }

  std::vector<std::string> saved;
  absl::Status load_error;
  absl::Status save_error;
};

// A stream of event "1", with nothing after it.
constexpr auto kOneEvent = [](const auto&, auto& stream) {
  stream.Events({"1"});
  stream.AwaitCancellation();
  return grpc::Status::OK;
};

class EventFollowerTest : public testing::Test {
 protected:
  EventFollowerTest() {
    options_.least_backoff = absl::Milliseconds(1);
    options_.most_backoff = absl::Milliseconds(2);
    options_.cursor_save_interval = absl::ZeroDuration();
  }

  void HasMode(v1::SubscriptionMode mode) {
    gateway_.OnGetSubscription([mode](const auto&, v1::GetSubscriptionResponse& response) {
      response.mutable_subscription()->set_mode(mode);
      return grpc::Status::OK;
    });
  }
  EventFollower& Follower() {
    if (follower_ == nullptr) follower_ = std::make_unique<EventFollower>(gateway_.Channel(), options_);
    return *follower_;
  }
  // The next event's cursor, or what ended.
  std::string Next() {
    const std::optional<v1::Event> event = Follower().Next();
    return event.has_value() ? event->cursor() : "end";
  }
  std::vector<std::string> Take(size_t count) {
    std::vector<std::string> cursors;
    while (cursors.size() < count) cursors.push_back(Next());
    return cursors;
  }

  FakeGateway gateway_;
  RecordingCursorStore store_;
  FollowOptions options_;
  std::unique_ptr<EventFollower> follower_;
};

TEST_F(EventFollowerTest, EventsComeInOrderOverFrames) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("0");
    stream.Events({"1", "2"});
    stream.Events({"3"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_THAT(Take(3), ElementsAre("1", "2", "3"));
}

TEST_F(EventFollowerTest, RequestIsPassedOn) {
  options_.request.mutable_filter()->add_peers("+966500000001");
  options_.request.set_position(v1::START_POSITION_EARLIEST);
  options_.request.set_include_raw_body(true);
  gateway_.OnSubscribe(kOneEvent);
  Next();
  const v1::SubscribeEventsRequest asked = gateway_.subscriptions().at(0);
  EXPECT_EQ(asked.position(), v1::START_POSITION_EARLIEST);
  EXPECT_EQ(asked.filter().peers(0), "+966500000001");
  EXPECT_TRUE(asked.include_raw_body());
}

TEST_F(EventFollowerTest, BrokenStreamResumesAfterTheLastFrame) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("0");
    stream.Events({"1", "2"}, "5");
    return Broken();
  });
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("9");
    stream.Events({"6"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_THAT(Take(3), ElementsAre("1", "2", "6"));
  EXPECT_EQ(gateway_.subscriptions().at(1).after_cursor(), "5");
}

TEST_F(EventFollowerTest, LatestIsHeldOverAnInterruptionBeforeTheFirstEvent) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("7");
    return Broken();
  });
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("8");
    stream.Events({"8"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_EQ(Next(), "8");
  EXPECT_EQ(gateway_.subscriptions().at(1).after_cursor(), "7");
}

TEST_F(EventFollowerTest, EarliestIsAskedForAgainWhileNothingCame) {
  options_.request.set_position(v1::START_POSITION_EARLIEST);
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("7");
    return Broken();
  });
  gateway_.OnSubscribe(kOneEvent);
  EXPECT_EQ(Next(), "1");
  EXPECT_EQ(gateway_.subscriptions().at(1).position(), v1::START_POSITION_EARLIEST);
}

TEST_F(EventFollowerTest, HeartbeatMovesThePositionOn) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("0");
    stream.Heartbeat("40");
    return Broken();
  });
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"41"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_EQ(Next(), "41");
  EXPECT_EQ(gateway_.subscriptions().at(1).after_cursor(), "40");
}

TEST_F(EventFollowerTest, DrainIsObeyed) {
  std::vector<absl::Duration> waits;
  options_.notices.on_interrupted = [&](const CallError& error, absl::Duration wait) {
    EXPECT_EQ(error.reason, "DRAINING");
    EXPECT_EQ(error.message, "shutdown");
    waits.push_back(wait);
  };
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1"});
    stream.Drain("3", 20);
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"4"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_THAT(Take(2), ElementsAre("1", "4"));
  EXPECT_EQ(gateway_.subscriptions().at(1).after_cursor(), "3");
  ASSERT_EQ(waits.size(), 1);
  EXPECT_GE(waits[0], absl::Milliseconds(20));
  EXPECT_LE(waits[0], absl::Milliseconds(24));
}

TEST_F(EventFollowerTest, GapIsToldAndPassed) {
  std::vector<std::string> gaps;
  options_.notices.on_gap = [&](const v1::Gap& gap) { gaps.push_back(gap.to_cursor()); };
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("0");
    stream.Gap("30");
    return Broken();
  });
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"31"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_EQ(Next(), "31");
  EXPECT_THAT(gaps, ElementsAre("30"));
  EXPECT_EQ(gateway_.subscriptions().at(1).after_cursor(), "30");
}

TEST_F(EventFollowerTest, StreamSilentForThreeHeartbeatsIsLeft) {
  options_.request.mutable_heartbeat_interval()->set_nanos(20'000'000);
  std::vector<std::string> interruptions;
  options_.notices.on_interrupted = [&](const CallError& error, absl::Duration) {
    interruptions.push_back(error.message);
  };
  gateway_.OnSubscribe([](const v1::SubscribeEventsRequest& request, auto& stream) {
    stream.Events({request.has_after_cursor() ? "2" : "1"});
    stream.AwaitCancellation();  // and not a word more
    return grpc::Status::OK;
  });
  EXPECT_THAT(Take(2), ElementsAre("1", "2"));
  EXPECT_EQ(gateway_.subscriptions().back().after_cursor(), "1");
  ASSERT_FALSE(interruptions.empty());
  EXPECT_EQ(interruptions[0], "the gateway was silent for 60ms");
}

TEST_F(EventFollowerTest, GatewayIsFoundAgainAfterARestart) {
  auto first = std::make_unique<FakeGateway>();
  const int port = first->port();
  first->OnSubscribe(kOneEvent);
  EventFollower follower(first->Channel(), options_);
  EXPECT_EQ(follower.Next()->cursor(), "1");
  first.reset();
  FakeGateway second(port);
  second.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"2"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_EQ(follower.Next()->cursor(), "2");
  EXPECT_EQ(second.subscriptions().at(0).after_cursor(), "1");
}

TEST_F(EventFollowerTest, RefusedRequestEndsItWithTheError) {
  google::rpc::ErrorInfo info;
  info.set_reason("CURSOR_EXPIRED");
  gateway_.OnSubscribe([&](const auto&, auto&) { return StatusWith(StatusCode::OUT_OF_RANGE, "too old", {&info}); });
  EXPECT_EQ(Next(), "end");
  ASSERT_TRUE(Follower().error().has_value());
  EXPECT_EQ(Follower().error()->reason, "CURSOR_EXPIRED");
  EXPECT_EQ(Next(), "end");
  EXPECT_EQ(gateway_.subscriptions().size(), 1);
}

TEST_F(EventFollowerTest, OverloadedGatewayIsTriedAgainAfterTheToldWait) {
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(15'000'000);
  std::vector<absl::Duration> waits;
  options_.notices.on_interrupted = [&](const CallError&, absl::Duration wait) { waits.push_back(wait); };
  gateway_.OnSubscribe(
      [&](const auto&, auto&) { return StatusWith(StatusCode::RESOURCE_EXHAUSTED, "too many", {&retry}); });
  gateway_.OnSubscribe(kOneEvent);
  EXPECT_EQ(Next(), "1");
  ASSERT_EQ(waits.size(), 1);
  EXPECT_GE(waits[0], absl::Milliseconds(15));
}

TEST_F(EventFollowerTest, StreamsThatComeToNothingAreTriedEverMoreSlowly) {
  options_.most_backoff = absl::Milliseconds(8);
  std::vector<absl::Duration> waits;
  options_.notices.on_interrupted = [&](const CallError&, absl::Duration wait) {
    waits.push_back(wait);
    if (waits.size() == 5) Follower().Stop();
  };
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("0");
    stream.Drain("");  // "come back at once", each time
    return Broken();
  });
  EXPECT_EQ(Next(), "end");
  ASSERT_EQ(waits.size(), 5);
  EXPECT_GT(waits[0], absl::ZeroDuration());
  EXPECT_GE(waits[4], absl::Milliseconds(4));
  EXPECT_LE(waits[4], absl::Milliseconds(8));
}

TEST_F(EventFollowerTest, StopFromAnotherThreadEndsAWaitForEvents) {
  absl::Notification connected;
  gateway_.OnSubscribe([&](const auto&, auto& stream) {
    stream.Started("0");
    connected.Notify();
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Follower();
  std::thread stopper([&] {
    connected.WaitForNotification();
    Follower().Stop();
  });
  EXPECT_EQ(Next(), "end");
  EXPECT_FALSE(Follower().error().has_value());
  stopper.join();
}

TEST_F(EventFollowerTest, StopEndsABackoff) {
  options_.least_backoff = options_.most_backoff = absl::Hours(1);
  std::thread stopper;
  options_.notices.on_interrupted = [&](const CallError&, absl::Duration) {
    stopper = std::thread([&] { Follower().Stop(); });
  };
  gateway_.OnSubscribe([](const auto&, auto&) { return Broken(); });
  EXPECT_EQ(Next(), "end");
  stopper.join();
}

TEST_F(EventFollowerTest, StopBeforeTheFirstNextEndsItWithoutACall) {
  Follower().Stop();
  EXPECT_EQ(Next(), "end");
  EXPECT_TRUE(gateway_.subscriptions().empty());
}

TEST_F(EventFollowerTest, DestructionWithFramesWaitingDoesNotHang) {
  absl::Notification sent;
  gateway_.OnSubscribe([&](const auto&, auto& stream) {
    for (int i = 1; i < 10; ++i) stream.Events({absl::StrCat(i)});
    sent.Notify();
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  EXPECT_EQ(Next(), "1");
  sent.WaitForNotification();
  follower_.reset();
}

TEST_F(EventFollowerTest, EventIsSavedOnceTheNextIsAskedFor) {
  options_.cursor_store = &store_;
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1", "2"}, "5");
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Next();
  EXPECT_THAT(store_.saved, ElementsAre());
  Next();
  EXPECT_THAT(store_.saved, ElementsAre("1"));
  EXPECT_EQ(Follower().cursor(), "1");
}

TEST_F(EventFollowerTest, LastEventOfAFrameSavesTheFramesResumeCursor) {
  options_.cursor_store = &store_;
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1"}, "5");
    stream.Events({"6"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Take(2);
  EXPECT_THAT(store_.saved, ElementsAre("5"));
}

TEST_F(EventFollowerTest, CommitSavesTheEventInHand) {
  options_.cursor_store = &store_;
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1", "2"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Next();
  EXPECT_TRUE(Follower().Commit().ok());
  EXPECT_THAT(store_.saved, ElementsAre("1"));
}

TEST_F(EventFollowerTest, SavesNoOftenerThanAskedAndAtTheEnd) {
  options_.cursor_store = &store_;
  options_.cursor_save_interval = absl::Hours(1);
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1", "2", "3", "4"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Take(4);
  EXPECT_THAT(store_.saved, ElementsAre("1"));  // the first is due at once
  Follower().Stop();
  EXPECT_EQ(Next(), "end");
  EXPECT_THAT(store_.saved, ElementsAre("1", "4"));
}

TEST_F(EventFollowerTest, EventNotYetHandledIsNotSavedByDestruction) {
  options_.cursor_store = &store_;
  gateway_.OnSubscribe(kOneEvent);
  Next();
  follower_.reset();
  EXPECT_THAT(store_.saved, ElementsAre());
}

TEST_F(EventFollowerTest, StoredCursorGoesBeforeTheStart) {
  store_.saved = {"77"};
  options_.cursor_store = &store_;
  options_.request.set_position(v1::START_POSITION_EARLIEST);
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"78"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Next();
  EXPECT_EQ(gateway_.subscriptions().at(0).after_cursor(), "77");
}

TEST_F(EventFollowerTest, UnreadableStoreEndsItBeforeAnyCall) {
  store_.load_error = absl::DataLossError("damaged");
  options_.cursor_store = &store_;
  EXPECT_EQ(Next(), "end");
  EXPECT_EQ(Follower().error()->message, "damaged");
  EXPECT_TRUE(gateway_.subscriptions().empty());
}

TEST_F(EventFollowerTest, UnwritableStoreEndsIt) {
  store_.save_error = absl::ResourceExhaustedError("disk full");
  options_.cursor_store = &store_;
  for (const absl::Duration interval : {absl::ZeroDuration(), absl::Hours(1)}) {  // at an event, and at the end
    options_.cursor_save_interval = interval;
    EventFollower follower(gateway_.Channel(), options_);
    gateway_.OnSubscribe([&](const auto&, auto& stream) {
      stream.Events({"1"});
      stream.Events({"2"});
      stream.AwaitCancellation();
      return grpc::Status::OK;
    });
    while (const std::optional<v1::Event> event = follower.Next()) {
      if (event->cursor() == "2") follower.Stop();
    }
    ASSERT_TRUE(follower.error().has_value());
    EXPECT_EQ(follower.error()->code, StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(follower.error()->message, "disk full");
  }
}

TEST_F(EventFollowerTest, SharedSubscriptionIsNotFollowed) {
  options_.request.set_subscription("orders");
  HasMode(v1::SUBSCRIPTION_MODE_SHARED);
  EXPECT_EQ(Next(), "end");
  EXPECT_EQ(Follower().error()->code, StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Follower().error()->reason, "SUBSCRIPTION_MODE");
  EXPECT_THAT(Follower().error()->message, HasSubstr("orders has mode SHARED: use SharedConsumer"));
  EXPECT_TRUE(gateway_.subscriptions().empty());  // nothing was handed out
}

TEST_F(EventFollowerTest, ModeIsAskedForAsLongAsTheGatewayIsAway) {
  options_.request.set_subscription("orders");
  absl::Notification told;
  options_.notices.on_interrupted = [&](const CallError& error, absl::Duration) {
    EXPECT_EQ(error.code, StatusCode::UNAVAILABLE);
    told.Notify();
  };
  gateway_.OnGetSubscription([&](const auto&, v1::GetSubscriptionResponse& response) {
    if (!told.HasBeenNotified()) return Broken();
    response.mutable_subscription()->set_mode(v1::SUBSCRIPTION_MODE_CURSOR);
    return grpc::Status::OK;
  });
  gateway_.OnSubscribe(kOneEvent);
  EXPECT_EQ(Next(), "1");
}

TEST_F(EventFollowerTest, SubscriptionThatIsNotThereEndsIt) {
  options_.request.set_subscription("orders");
  gateway_.OnGetSubscription([](const auto&, auto&) { return grpc::Status(StatusCode::NOT_FOUND, "no such"); });
  EXPECT_EQ(Next(), "end");
  EXPECT_EQ(Follower().error()->code, StatusCode::NOT_FOUND);
}

TEST_F(EventFollowerTest, NeedsNoRightToAskForTheMode) {
  options_.request.set_subscription("orders");
  gateway_.OnGetSubscription([](const auto&, auto&) { return grpc::Status(StatusCode::PERMISSION_DENIED, "no"); });
  gateway_.OnSubscribe(kOneEvent);
  EXPECT_EQ(Next(), "1");
}

TEST_F(EventFollowerTest, TakeoverIsAskedForUntilItIsHad) {
  options_.request.set_subscription("orders");
  options_.request.set_take_over(true);
  HasMode(v1::SUBSCRIPTION_MODE_CURSOR);
  gateway_.OnSubscribe([](const auto&, auto&) { return Broken(); });
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Started("0");
    stream.Drain("");
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  gateway_.OnSubscribe(kOneEvent);
  EXPECT_EQ(Next(), "1");
  std::vector<bool> asked;
  for (const v1::SubscribeEventsRequest& request : gateway_.subscriptions()) asked.push_back(request.take_over());
  EXPECT_THAT(asked, ElementsAre(true, true, false));
}

// A gateway over a log of `size` events that breaks off its streams in every way it can, at random places.
FakeGateway::Script Unsteady(int size, std::shared_ptr<std::mt19937> random) {
  return [size, random](const v1::SubscribeEventsRequest& request, FakeGateway::Stream& stream) {
    int at = request.has_after_cursor() ? std::stoi(request.after_cursor()) : 0;
    const auto up_to = [&](int most) { return std::uniform_int_distribution<int>(0, most)(*random); };
    stream.Started(absl::StrCat(size));
    for (int frames = up_to(5); frames > 0 && at < size; --frames) {
      std::vector<std::string> batch;
      for (int events = 1 + up_to(6); events > 0 && at < size; --events) batch.push_back(absl::StrCat(++at));
      // Every seventh place is one that the filter leaves out.
      batch.erase(std::remove_if(batch.begin(), batch.end(), [](const auto& c) { return std::stoi(c) % 7 == 0; }),
                  batch.end());
      if (batch.empty()) {
        stream.Heartbeat(absl::StrCat(at));
      } else {
        stream.Events(batch, absl::StrCat(at));
      }
    }
    switch (up_to(3)) {
      case 0:
        stream.Drain(absl::StrCat(at));
        return Broken();
      case 1:
        return grpc::Status::OK;
      case 2:
        return grpc::Status(StatusCode::INTERNAL, "RST_STREAM");
      default:
        return Broken();
    }
  };
}

TEST_F(EventFollowerTest, EveryEventOnceAndInOrderOverManyInterruptions) {
  constexpr int kSize = 400;
  for (const unsigned seed : {1u, 2u, 3u}) {
    FakeGateway gateway;
    gateway.OnSubscribe(Unsteady(kSize, std::make_shared<std::mt19937>(seed)));
    options_.request.set_position(v1::START_POSITION_EARLIEST);
    EventFollower follower(gateway.Channel(), options_);
    for (int i = 1; i <= kSize; ++i) {
      if (i % 7 == 0) continue;
      const std::optional<v1::Event> event = follower.Next();
      ASSERT_TRUE(event.has_value());
      ASSERT_EQ(event->cursor(), absl::StrCat(i)) << "seed " << seed;
    }
    EXPECT_GT(gateway.subscriptions().size(), 20u);
  }
}

}  // namespace
}  // namespace aulm::gateway::client
