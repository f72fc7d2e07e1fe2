#include "aulm/gateway/client/frame_stream.h"

#include <chrono>
#include <memory>
#include <string>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

class FrameStreamTest : public testing::Test {
 protected:
  void Start() { stream_ = std::make_unique<FrameStream>(*stub_, v1::SubscribeEventsRequest()); }
  // The cursor of the next frame's first event.
  std::string Take() {
    const auto frame = stream_->Take(absl::InfiniteDuration());
    return frame.has_value() ? frame->event_batch().deliveries(0).event().cursor() : "none";
  }

  FakeGateway gateway_;
  const std::unique_ptr<v1::EventService::Stub> stub_ = v1::EventService::NewStub(gateway_.Channel());
  std::unique_ptr<FrameStream> stream_;
};

TEST_F(FrameStreamTest, TakeReturnsAfterItsPatience) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Start();
  EXPECT_FALSE(stream_->Take(absl::Milliseconds(1)).has_value());
  EXPECT_FALSE(stream_->end().has_value());
  EXPECT_GE(stream_->Silence(), absl::Milliseconds(1));
}

TEST_F(FrameStreamTest, FramesThatCameAreTakenBeforeTheEndIsSeen) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    for (const char* cursor : {"1", "2", "3", "4"}) stream.Events({cursor});
    return grpc::Status(grpc::StatusCode::UNAVAILABLE, "gone");
  });
  Start();
  for (const char* cursor : {"1", "2", "3", "4"}) {
    EXPECT_FALSE(stream_->end().has_value());
    EXPECT_EQ(Take(), cursor);
  }
  EXPECT_EQ(Take(), "none");
  EXPECT_EQ(stream_->end()->error_message(), "gone");
}

TEST_F(FrameStreamTest, CancelledStreamEndsOnceItsFramesAreTaken) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Start();
  EXPECT_EQ(Take(), "1");
  stream_->Cancel();
  stream_->Cancel();
  EXPECT_EQ(Take(), "none");
  EXPECT_EQ(stream_->end()->error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(FrameStreamTest, SilenceDoesNotCountWhileFramesWaitForASlowTaker) {
  absl::Notification sent;
  gateway_.OnSubscribe([&](const auto&, auto& stream) {
    for (const char* cursor : {"1", "2", "3"}) stream.Events({cursor});
    sent.Notify();
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  Start();
  EXPECT_EQ(Take(), "1");
  sent.WaitForNotification();
  absl::SleepFor(absl::Milliseconds(10));  // the taker at work; two frames come, and nothing more is read
  const auto before = std::chrono::steady_clock::now();
  EXPECT_EQ(Take(), "2");
  EXPECT_EQ(Take(), "3");
  const absl::Duration silence = stream_->Silence();
  EXPECT_LE(silence, absl::FromChrono(std::chrono::steady_clock::now() - before));
}

TEST_F(FrameStreamTest, LastUseOfTheChannelMayGoWithTheStream) {
  gateway_.OnSubscribe([](const auto&, auto& stream) {
    stream.Events({"1"});
    stream.AwaitCancellation();
    return grpc::Status::OK;
  });
  for (int i = 0; i < 50; ++i) {
    auto stub = v1::EventService::NewStub(gateway_.Channel());
    FrameStream stream(*stub, v1::SubscribeEventsRequest());
    stub.reset();
    EXPECT_TRUE(stream.Take(absl::InfiniteDuration()).has_value());
  }
}

}  // namespace
}  // namespace aulm::gateway::client
