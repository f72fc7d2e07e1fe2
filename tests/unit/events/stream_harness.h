#pragma once

#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/events/event_hub.h"
#include "service/events/event_streams.h"
#include "service/events/events_metrics.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_random.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {

// Far more than anything in these tests takes; only a test that fails waits so long.
inline constexpr absl::Duration kPatience = absl::Seconds(20);

// What one asynchronous call comes to, once.
template <typename Result>
class Awaited {
 public:
  void Set(Result result) {
    result_.emplace(std::move(result));
    set_.Notify();
  }
  bool has() const { return set_.HasBeenNotified(); }
  // Waits; fails the test when nothing comes.
  Result& Wait() {
    EXPECT_TRUE(set_.WaitForNotificationWithTimeout(kPatience)) << "nothing came";
    return *result_;
  }

 private:
  std::optional<Result> result_;
  absl::Notification set_;
};

// The pull side of one EventStream, as a reactor would be.
class TestSubscriber {
 public:
  using PendingFrame = std::shared_ptr<Awaited<absl::StatusOr<Frame>>>;

  TestSubscriber(EventStreams& streams, StreamSpec spec) {
    absl::StatusOr<std::shared_ptr<EventStream>> opened = streams.Open(std::move(spec));
    if (opened.ok()) {
      stream = *std::move(opened);
    } else {
      refused = opened.status();
    }
  }
  ~TestSubscriber() {
    if (stream != nullptr) stream->Close();
  }

  // Admission, waited for.
  absl::Status Start() {
    if (stream == nullptr) return refused;
    auto outcome = std::make_shared<Awaited<absl::Status>>();
    stream->Start([outcome](absl::Status status) { outcome->Set(std::move(status)); });
    return outcome->Wait();
  }

  // Asks for a frame without waiting for it.
  PendingFrame Ask() {
    auto outcome = std::make_shared<Awaited<absl::StatusOr<Frame>>>();
    stream->Next([outcome](absl::StatusOr<Frame> frame) { outcome->Set(std::move(frame)); });
    return outcome;
  }

  // The next frame, waited for and decoded; a response without a frame (and a failure) at the stream's end.
  v1::SubscribeEventsResponse Next() { return Decode(Ask()); }

  static v1::SubscribeEventsResponse Decode(const PendingFrame& pending) {
    const absl::StatusOr<Frame>& frame = pending->Wait();
    EXPECT_TRUE(frame.ok()) << frame.status();
    return frame.ok() ? DecodeFrame(*frame) : v1::SubscribeEventsResponse();
  }

  // Takes frames until `count` events came; their delivery ids. The cursors of the last batch stay in last_batch.
  std::vector<std::string> TakeEvents(size_t count) {
    std::vector<std::string> ids;
    while (ids.size() < count) {
      v1::SubscribeEventsResponse response = Next();
      if (response.frame_case() == v1::SubscribeEventsResponse::FRAME_NOT_SET) break;
      if (!response.has_event_batch()) continue;
      AddDeliveryIds(response.event_batch(), ids);
      last_batch = std::move(*response.mutable_event_batch());
    }
    return ids;
  }

  std::shared_ptr<EventStream> stream;
  absl::Status refused;
  v1::EventBatch last_batch;
};

// A log, a hub and streams over a clock that stands still. Reads happen on the hub's own threads, so tests wait for
// what comes; time moves only by clock.Advance.
class StreamHarness {
 public:
  explicit StreamHarness(EventHubOptions hub_options = {}, EventStreamsOptions streams_options = {})
      : log(&clock),
        metrics(registry),
        hub(log, clock, metrics, hub_options),
        streams(hub, clock, random, metrics, streams_options) {}

  // The hub follows the log from here on: what is appended before is behind the ring.
  void Start() { ASSERT_TRUE(hub.Start().ok()); }

  // Waits until the ring has the log's newest event.
  void WaitForRing() {
    struct Waiter : HeadWaiter {
      void OnHead() override { woken.Notify(); }
      absl::Notification woken;
    };
    while (hub.head().sequence < log.Info().head) {
      auto waiter = std::make_shared<Waiter>();
      if (hub.WaitAtHead(log.Info().head - 1, waiter)) {
        ASSERT_TRUE(waiter->woken.WaitForNotificationWithTimeout(kPatience));
      }
    }
  }

  // Moves time on until the subscriber has something that is no heartbeat: a frame, or the stream's end.
  absl::StatusOr<v1::SubscribeEventsResponse> PassTimeUntilNews(TestSubscriber& subscriber) {
    for (const absl::Time begun = absl::Now(); absl::Now() - begun < kPatience;) {
      const auto pending = subscriber.Ask();
      while (!pending->has() && absl::Now() - begun < kPatience) {
        clock.Advance(absl::Milliseconds(100));
        std::this_thread::yield();
      }
      const absl::StatusOr<Frame>& frame = pending->Wait();
      if (!frame.ok()) return frame.status();
      if (frame->kind != FrameKind::kHeartbeat) return DecodeFrame(*frame);
    }
    return absl::DeadlineExceededError("nothing came");
  }

  // A subscriber that was admitted and has taken its Started frame.
  std::unique_ptr<TestSubscriber> Subscribe(StreamSpec spec) {
    auto subscriber = std::make_unique<TestSubscriber>(streams, std::move(spec));
    const absl::Status status = subscriber->Start();
    EXPECT_TRUE(status.ok()) << status;
    if (status.ok()) {
      EXPECT_TRUE(subscriber->Next().has_started());
    }
    return subscriber;
  }

  FakeClock clock;
  FakeRandom random;
  FakeEventLog log;
  prometheus::Registry registry;
  EventsMetrics metrics;
  EventHub hub;
  EventStreams streams;
};

inline StreamSpec FromEarliest() {
  StreamSpec spec;
  spec.start = Earliest{};
  return spec;
}

// After a cursor that must be decodable.
inline StreamSpec After(const std::string& cursor) {
  StreamSpec spec;
  const absl::StatusOr<Cursor> decoded = DecodeCursor(cursor);
  EXPECT_TRUE(decoded.ok()) << decoded.status();
  if (decoded.ok()) spec.start = *decoded;
  return spec;
}

}  // namespace aulm::gateway
