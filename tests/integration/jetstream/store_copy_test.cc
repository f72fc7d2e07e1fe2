// `aulm-gateway store copy`, as the storage sees it: a store on NATS holds what the embedded one held.
#include <gmock/gmock.h>

#include <optional>

#include "absl/synchronization/notification.h"
#include "service/events/cursor.h"
#include "service/storage/delivery_key.h"
#include "service/storage/jetstream/jetstream_import.h"
#include "tests/integration/jetstream/store_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::SizeIs;

// What two logs are compared by.
struct Seen {
  uint64_t sequence;
  absl::Time ingested;
  uint32_t fingerprint;
  std::string raw_body;

  bool operator==(const Seen&) const = default;
};

class StoreCopyTest : public NatsStoreTest {
 protected:
  void SetUp() override {
    StartServer();
    source_.url = absl::StrCat("sqlite://", folder_.path(), "/store");
    source_.retention = absl::Hours(24);
  }

  static std::vector<Seen> AllOf(EventLog& log) {
    std::vector<Seen> seen;
    ReadLimits limits;
    limits.raw_body = true;
    uint64_t after = 0;
    while (true) {
      const absl::StatusOr<EventPage> page = log.Read(after, limits);
      EXPECT_TRUE(page.ok()) << page.status();
      if (!page.ok()) return seen;
      for (const LoggedEvent& event : page->events) {
        seen.push_back({event.sequence, event.ingested, Fingerprint(event), std::string(event.raw_body)});
      }
      if (page->end_of_log) return seen;
      after = page->events.back().sequence;
    }
  }

  // Events 1 to 3, which retention takes, and then 4 to 9.
  void Fill(Store& store) {
    for (const char* id : {"d-1", "d-2", "d-3"}) ASSERT_TRUE(AppendNow(*store.log, EventOf(id)).ok());
    clock_.Advance(absl::Hours(25));
    // This clock's timers run in real time, housekeeping's too.
    while (store.log->Info().earliest != 4) {
      absl::Notification later;
      clock_.CallAfter(absl::Milliseconds(10), [&later] { later.Notify(); });
      later.WaitForNotification();
    }
    for (const char* id : {"d-4", "d-5", "", "d-7", "d-8", "d-9"}) {
      ASSERT_TRUE(AppendNow(*store.log, EventOf(id)).ok());
      clock_.Advance(absl::Milliseconds(20));
    }
    ASSERT_TRUE(WriteNow(*store.state, {"requests", "shop/order-1", "sent", std::nullopt}).ok());
    const absl::Time soon = clock_.Now() + absl::Hours(1);
    ASSERT_TRUE(WriteNow(*store.state, {"requests", "shop/order-2", "claimed", std::nullopt, soon}).ok());
    ASSERT_TRUE(WriteNow(*store.state, {"subscription_shares", "a/b.c", "floor", std::nullopt}).ok());
    ASSERT_TRUE(WriteNow(*store.state, {"requests", "shop/over", "x", std::nullopt, clock_.Now()}).ok());
    ASSERT_TRUE(WriteNow(*store.state, {"requests", "shop/gone", "x", std::nullopt}).ok());
    ASSERT_TRUE(WriteNow(*store.state, {"requests", "shop/gone", std::nullopt, std::nullopt}).ok());
  }

  absl::StatusOr<CopiedStore> Copy() { return CopyStore(source_.url, options_, clock_, random_, nullptr); }

  StoreOptions source_;
};

TEST_F(StoreCopyTest, EventsKeepTheirSequencesTimesAndFingerprints) {
  absl::StatusOr<Store> source = Open(source_);
  ASSERT_TRUE(source.ok()) << source.status();
  Fill(*source);
  const LogInfo before = source->log->Info();
  const std::vector<Seen> events = AllOf(*source->log);
  source->engine.reset();

  const absl::StatusOr<CopiedStore> copied = Copy();
  ASSERT_TRUE(copied.ok()) << copied.status();
  absl::StatusOr<Store> copy = Open(options_);
  ASSERT_TRUE(copy.ok()) << copy.status();

  EXPECT_EQ(copied->events, 6u);
  EXPECT_EQ(copy->log->Info().earliest, 4u);
  EXPECT_EQ(copy->log->Info().head, before.head);
  EXPECT_NE(copy->log->Info().epoch, before.epoch);
  EXPECT_TRUE(copy->log->Info().Covers(before.epoch));
  EXPECT_FALSE(copy->log->Info().Covers(before.epoch + 1));
  EXPECT_EQ(AllOf(*copy->log), events);
  EXPECT_TRUE(copy->full_check().ok());
  // Found by their own times, not by those of the copying.
  const absl::StatusOr<uint64_t> found = copy->log->FindTime(events[2].ingested);
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, events[1].sequence);
  // What comes next goes on.
  const absl::StatusOr<Appended> next = AppendNow(*copy->log, EventOf("d-10"));
  ASSERT_TRUE(next.ok()) << next.status();
  EXPECT_EQ(next->sequence, before.head + 1);
}

TEST_F(StoreCopyTest, DeliveriesAreKnownWithAndWithoutTheirEvents) {
  absl::StatusOr<Store> source = Open(source_);
  ASSERT_TRUE(source.ok()) << source.status();
  Fill(*source);
  source->engine.reset();
  ASSERT_TRUE(Copy().ok());
  absl::StatusOr<Store> copy = Open(options_);
  ASSERT_TRUE(copy.ok()) << copy.status();

  NewEvent recent = EventOf("d-9");
  recent.not_before = clock_.Now() - absl::Seconds(1);
  const absl::StatusOr<Appended> kept = AppendNow(*copy->log, EventOf("d-5"));
  const absl::StatusOr<Appended> gone = AppendNow(*copy->log, EventOf("d-2"));
  const absl::StatusOr<Appended> quick = AppendNow(*copy->log, recent);

  ASSERT_TRUE(kept.ok() && gone.ok() && quick.ok());
  EXPECT_TRUE(kept->duplicate);
  EXPECT_EQ(kept->sequence, 5u);
  EXPECT_TRUE(gone->duplicate);
  EXPECT_EQ(gone->sequence, 0u);
  EXPECT_TRUE(quick->duplicate);
  EXPECT_EQ(quick->sequence, 9u);
}

TEST_F(StoreCopyTest, StateIsThereWithItsExpiryAndWithoutWhatIsOver) {
  absl::StatusOr<Store> source = Open(source_);
  ASSERT_TRUE(source.ok()) << source.status();
  Fill(*source);
  source->engine.reset();
  const absl::StatusOr<CopiedStore> copied = Copy();
  ASSERT_TRUE(copied.ok()) << copied.status();
  EXPECT_EQ(copied->entries, 3u);
  absl::StatusOr<Store> copy = Open(options_);
  ASSERT_TRUE(copy.ok()) << copy.status();

  const auto requests = ListNow(*copy->state, "requests", "", "", 10);
  const auto one = GetNow(*copy->state, "requests", "shop/order-1");
  ASSERT_TRUE(one.ok() && one->has_value()) << one.status();
  const auto share = GetNow(*copy->state, "subscription_shares", "a/b.c");
  clock_.Advance(absl::Hours(2));
  const auto later = ListNow(*copy->state, "requests", "", "", 10);

  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_THAT(*requests, SizeIs(2));
  EXPECT_EQ(requests->at(0).key, "shop/order-1");
  EXPECT_EQ(requests->at(0).value, "sent");
  EXPECT_EQ(requests->at(1).value, "claimed");
  ASSERT_TRUE(share.ok() && share->has_value());
  EXPECT_EQ((*share)->value, "floor");
  ASSERT_TRUE(later.ok()) << later.status();
  EXPECT_THAT(*later, SizeIs(1));
}

TEST_F(StoreCopyTest, UnfinishedCopyIsRefusedAndGoesOnWhenItIsCopiedAgain) {
  absl::StatusOr<Store> source = Open(source_);
  ASSERT_TRUE(source.ok()) << source.status();
  Fill(*source);
  const LogInfo info = source->log->Info();
  const std::vector<Seen> events = AllOf(*source->log);
  {
    StoreOptions target = options_;
    target.nats.servers.urls = {options_.url};
    auto import = JetStreamImport::Begin(target, info, clock_, random_);
    ASSERT_TRUE(import.ok()) << import.status();
    const absl::StatusOr<EventPage> page = source->log->Read(3, {.max_events = 2, .raw_body = true});
    ASSERT_TRUE(page.ok()) << page.status();
    for (const LoggedEvent& event : page->events) ASSERT_TRUE((*import)->AddEvent(event).ok());
  }
  source->engine.reset();

  const absl::StatusOr<Store> unfinished = Open(options_);
  const absl::StatusOr<CopiedStore> copied = Copy();
  ASSERT_TRUE(copied.ok()) << copied.status();
  const absl::StatusOr<Store> finished = Open(options_);

  EXPECT_EQ(unfinished.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(unfinished.status().message()), HasSubstr("run aulm-gateway store copy again"));
  ASSERT_TRUE(finished.ok()) << finished.status();
  EXPECT_EQ(AllOf(*finished->log), events);
}

TEST_F(StoreCopyTest, StoreThatIsInUseOrNotThereOrALogThatIsThereAreRefused) {
  EXPECT_EQ(Copy().status().code(), absl::StatusCode::kNotFound);
  absl::StatusOr<Store> source = Open(source_);
  ASSERT_TRUE(source.ok()) << source.status();
  EXPECT_EQ(Copy().status().code(), absl::StatusCode::kFailedPrecondition) << "in use";
  source->engine.reset();
  ASSERT_TRUE(Copy().ok());

  const absl::Status again = Copy().status();

  EXPECT_EQ(again.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(again.message()), HasSubstr("aulm-events is there already"));
}

TEST_F(StoreCopyTest, OnlyFromTheEmbeddedStoreToNats) {
  EXPECT_EQ(CopyStore(options_.url, options_, clock_, random_, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(CopyStore(source_.url, source_, clock_, random_, nullptr).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace aulm::gateway
