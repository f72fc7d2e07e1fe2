#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/events/stream_harness.h"

namespace aulm::gateway {
namespace {

constexpr int kEvents = 400;
constexpr int kSessions = 5;

// One subscriber with a filter of its own that takes a few frames, goes away at any point, and comes back after any
// cursor that it may resume from: the last frame's resume_cursor, or the last event's own.
class WanderingSubscriber {
 public:
  WanderingSubscriber(StreamHarness& harness, std::mt19937_64& chance) : harness_(harness), chance_(chance) {
    v1::EventFilter filter;
    for (int session = 0; session < kSessions; ++session) {
      if (chance_() % 2 == 0) filter.add_session_ids(SampleSession(session));
    }
    if (chance_() % 4 == 0) filter.add_types(v1::EVENT_TYPE_MESSAGE_STATUS);
    filter_ = EventFilter(filter);
    raw_body_ = chance_() % 4 == 0;
    cursor_ = EncodeCursor({harness_.log.Info().epoch, 0, 0});
  }

  const EventFilter& filter() const { return filter_; }
  const std::vector<std::string>& taken() const { return taken_; }

  // Takes up to `frames` frames of events, or until `caught_up_at` was passed.
  void Visit(int frames, uint64_t caught_up_at) {
    StreamSpec spec = After(cursor_);
    spec.selection.filter = filter_;
    spec.include_raw_body = raw_body_;
    spec.max_batch_events = 1 + chance_() % (chance_() % 2 == 0 ? 4 : 256);
    const auto subscriber = harness_.Subscribe(std::move(spec));
    for (int i = 0; i < frames && SequenceOf(cursor_) < caught_up_at; ++i) Take(*subscriber);
  }

  uint64_t position() const { return SequenceOf(cursor_); }

 private:
  static uint64_t SequenceOf(const std::string& cursor) { return DecodeCursor(cursor)->sequence; }

  void Take(TestSubscriber& subscriber) {
    const auto pending = subscriber.Ask();
    // When nothing that is left matches, only a heartbeat comes, and only time brings it.
    for (const absl::Time begun = absl::Now(); !pending->has() && absl::Now() - begun < kPatience;) {
      harness_.clock.Advance(absl::Seconds(1));
      std::this_thread::yield();
    }
    const v1::SubscribeEventsResponse response = TestSubscriber::Decode(pending);
    if (response.has_heartbeat()) {
      cursor_ = response.heartbeat().resume_cursor();
      return;
    }
    ASSERT_TRUE(response.has_event_batch()) << response.ShortDebugString();
    const v1::EventBatch& batch = response.event_batch();
    AddDeliveryIds(batch, taken_);
    const std::string& last = batch.deliveries(batch.deliveries_size() - 1).event().cursor();
    EXPECT_LE(SequenceOf(last), SequenceOf(batch.resume_cursor()));
    cursor_ = chance_() % 2 == 0 ? batch.resume_cursor() : last;
  }

  StreamHarness& harness_;
  std::mt19937_64& chance_;
  EventFilter filter_;
  bool raw_body_;
  std::string cursor_;
  std::vector<std::string> taken_;
};

NewEvent RandomEvent(int number, std::mt19937_64& chance) {
  const int session = static_cast<int>(chance() % kSessions);
  return chance() % 3 == 0 ? StatusEvent(number, session) : InboundEvent(number, session);
}

class EventStreamModelTest : public testing::TestWithParam<uint64_t> {};

// Whatever the sizes of pages, ring and batches, whenever a subscriber leaves, comes back and where it resumes: what it
// takes is the filtered log, each event once, in order.
TEST_P(EventStreamModelTest, EverySubscriberTakesTheFilteredLogOnceInOrder) {
  std::mt19937_64 chance(GetParam());
  EventHubOptions hub;
  hub.ring_bytes = chance() % 2 == 0 ? 1 : 1 + chance() % 100'000;
  hub.page_events = 1 + chance() % 50;
  hub.page_bytes = 1 + chance() % 20'000;
  EventStreamsOptions streams;
  streams.stream.scan_budget = 1 + chance() % 100;
  streams.stream.max_age = absl::Hours(100'000);
  StreamHarness harness(hub, streams);
  harness.Start();

  std::vector<std::unique_ptr<WanderingSubscriber>> subscribers;
  for (int i = 0; i < 3; ++i) subscribers.push_back(std::make_unique<WanderingSubscriber>(harness, chance));
  int appended = 0;
  while (appended < kEvents) {
    for (int i = static_cast<int>(chance() % 60); i > 0 && appended < kEvents; --i) {
      if (appended > 0 && chance() % 20 == 0) harness.log.SkipSequences(chance() % 5);
      AppendNow(harness.log, RandomEvent(++appended, chance));
    }
    auto& subscriber = subscribers[chance() % subscribers.size()];
    subscriber->Visit(static_cast<int>(chance() % 6), harness.log.Info().head);
  }
  const uint64_t head = harness.log.Info().head;
  for (auto& subscriber : subscribers) {
    while (subscriber->position() < head && !HasFailure()) subscriber->Visit(kEvents, head);
    std::vector<std::string> expected;
    EventPage page = *harness.log.Read(0, {.max_events = kEvents});
    for (const LoggedEvent& event : page.events) {
      if (subscriber->filter().Matches(event.attributes)) expected.emplace_back(event.delivery_id);
    }
    EXPECT_EQ(subscriber->taken(), expected);
  }
}

INSTANTIATE_TEST_SUITE_P(Seeds, EventStreamModelTest, testing::Range<uint64_t>(1, 201));

}  // namespace
}  // namespace aulm::gateway
