// The embedded store on a disk that is full, fails or stalls.
#include <set>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "service/storage/sqlite/connection.h"
#include "tests/support/fault_vfs.h"
#include "tests/unit/storage/store_fixture.h"

namespace aulm::gateway {
namespace {

using testing::AnyOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kRelaxed = StateStore::Durability::kRelaxed;

class StoreFaultTest : public StoreFixture {
 protected:
  ~StoreFaultTest() override { Close(); }  // before the file system under it

  FaultVfs disk_;
};

TEST_F(StoreFaultTest, FullDiskRefusesTheAppendAndStoresNothing) {
  Open();
  ASSERT_TRUE(Append("before").ok());
  disk_.Fail(FaultVfs::kWrite, SQLITE_FULL);

  const absl::Status refused = Append("refused").status();

  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(refused.message(), HasSubstr("disk is full"));
  EXPECT_THAT(refused.message(), HasSubstr("free space"));
  EXPECT_EQ(log().Info().head, 1u);
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("before"));
  EXPECT_GE(Metric("aulm_store_errors_total", "full"), 1);
  EXPECT_THAT(fatal(), IsEmpty());
}

TEST_F(StoreFaultTest, StoreGoesOnByItselfWhenThereIsSpaceAgain) {
  Open();
  ASSERT_TRUE(Append("before").ok());
  disk_.Fail(FaultVfs::kWrite, SQLITE_FULL);
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(Append(absl::StrCat("refused-", i)).ok());
  disk_.Heal();

  absl::StatusOr<Appended> after = Append("refused-3");

  ASSERT_TRUE(after.ok()) << after.status();
  EXPECT_FALSE(after->duplicate);
  EXPECT_EQ(after->sequence, 2u);
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("before", "refused-3"));
  Open();
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("before", "refused-3"));
  EXPECT_TRUE(store_.full_check().ok());
}

TEST_F(StoreFaultTest, RoomWithinTheFilesIsUsedOnAFullDisk) {
  options_.retention = absl::Hours(10);
  Open();
  std::vector<NewEvent> events;
  for (int i = 0; i < 2000; ++i) {
    events.push_back(EventOf(absl::StrCat("old-", i)));
    events.back().raw_body = std::string(1000, 'r');
  }
  AppendAllNow(log(), std::move(events));
  PassTime(absl::Hours(11));  // the database file has free pages now
  Open();
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(Append(absl::StrCat("before-", i)).ok());
  disk_.Fail(FaultVfs::kGrow, SQLITE_FULL);

  // The write-ahead log cannot grow: that refuses one append, and is the reason to begin its file anew.
  int refused = 0;
  for (int i = 0; i < 1000; ++i) refused += Append(absl::StrCat("after-", i)).ok() ? 0 : 1;

  EXPECT_GE(refused, 1);
  EXPECT_LE(refused, 100);
}

TEST_F(StoreFaultTest, ReaderOnAFullDiskKeepsNothingFromBeingWrittenOnceItHasGone) {
  Open();
  ASSERT_TRUE(Append("before").ok());
  Open();  // the database file has all its pages now
  Connection reader = Connection::Open(DatabaseFile(), Connection::Use::kReader).value();
  ASSERT_TRUE(reader.Execute("BEGIN; SELECT count(*) FROM events").ok());
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(Append(absl::StrCat("unseen-", i)).ok());
  disk_.Fail(FaultVfs::kGrow, SQLITE_FULL);
  for (int i = 0; i < 3; ++i) EXPECT_FALSE(Append(absl::StrCat("refused-", i)).ok());

  ASSERT_TRUE(reader.Execute("COMMIT").ok());

  // The next one finds out that all of the write-ahead log can be copied, and the one after it begins its file anew.
  Append("perhaps").IgnoreError();
  EXPECT_TRUE(Append("after").ok());
}

TEST_F(StoreFaultTest, FullDiskRefusesDurableStateAndKeepsRelaxedState) {
  Open();
  ASSERT_TRUE(WriteNow(state(), PutOf("a", "old")).ok());
  ASSERT_TRUE(WriteNow(state(), PutOf("b", "old")).ok());
  disk_.Fail(FaultVfs::kWrite, SQLITE_FULL);

  ASSERT_TRUE(WriteNow(state(), PutOf("a", "relaxed"), kRelaxed).ok());
  EXPECT_EQ(WriteNow(state(), PutOf("a", "durable")).status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(WriteNow(state(), PutOf("b", "durable")).status().code(), absl::StatusCode::kResourceExhausted);

  EXPECT_EQ(GetNow(state(), "test", "a").value()->value, "relaxed");
  EXPECT_EQ(GetNow(state(), "test", "b").value()->value, "old");
  disk_.Heal();
  ASSERT_TRUE(WriteNow(state(), PutOf("c", "new")).ok());
  Open();
  EXPECT_EQ(GetNow(state(), "test", "a").value()->value, "relaxed");
  EXPECT_EQ(GetNow(state(), "test", "b").value()->value, "old");
}

TEST_F(StoreFaultTest, RelaxedStateIsTriedAgainByItself) {
  Open();
  disk_.Fail(FaultVfs::kWrite, SQLITE_FULL);
  ASSERT_TRUE(WriteNow(state(), PutOf("a", "relaxed"), kRelaxed).ok());
  EXPECT_FALSE(Append("refused").ok());  // takes the relaxed write along
  disk_.Heal();
  const double before = Metric("aulm_store_state_writes_total");

  // Time alone brings it to the disk; reading in between lets the store's thread deal with the answer.
  const absl::Time patience = absl::Now() + absl::Minutes(1);
  while (Metric("aulm_store_state_writes_total") == before && absl::Now() < patience) {
    clock_.Advance(absl::Milliseconds(100));
    ASSERT_TRUE(GetNow(state(), "test", "a").ok());
  }

  EXPECT_EQ(Metric("aulm_store_state_writes_total"), before + 1);
}

TEST_F(StoreFaultTest, FailedWriteIsUnavailableAndNotTheEnd) {
  Open();
  disk_.Fail(FaultVfs::kWrite, SQLITE_IOERR_WRITE, /*good=*/0, /*bad=*/1);

  EXPECT_EQ(Append("failed").status().code(), absl::StatusCode::kUnavailable);

  EXPECT_TRUE(Append("after").ok());
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("after"));
  EXPECT_THAT(fatal(), IsEmpty());
  EXPECT_GE(Metric("aulm_store_errors_total", "other"), 1);
}

TEST_F(StoreFaultTest, FailedFsyncIsFatalOnceAndEndsWriting) {
  Open();
  ASSERT_TRUE(Append("before").ok());
  disk_.Fail(FaultVfs::kSync, SQLITE_IOERR_FSYNC, /*good=*/0, /*bad=*/1);

  EXPECT_EQ(Append("failed").status().code(), absl::StatusCode::kUnavailable);

  ASSERT_THAT(fatal(), SizeIs(1));
  EXPECT_EQ(fatal()[0].code(), absl::StatusCode::kDataLoss);
  EXPECT_EQ(Append("after").status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(WriteNow(state(), PutOf("a", "x")).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(WriteNow(state(), PutOf("a", "x"), kRelaxed).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(fatal(), SizeIs(1));
  EXPECT_EQ(Metric("aulm_store_errors_total", "fsync"), 1);
}

TEST_F(StoreFaultTest, FailedFsyncOfACheckpointIsFatalToo) {
  Open();
  // A commit syncs the write-ahead log once and a checkpoint syncs the database file: the first failure after enough
  // writing to need a checkpoint, whatever the commits before it did.
  std::string large(1 << 20, 'x');
  for (int i = 0; i < 3; ++i) {
    NewEvent event = EventOf(absl::StrCat("d-", i));
    event.raw_body = large;
    ASSERT_TRUE(AppendNow(log(), std::move(event)).ok());
  }
  disk_.Fail(FaultVfs::kSync, SQLITE_IOERR_FSYNC, /*good=*/1, /*bad=*/1);
  NewEvent event = EventOf("last");
  event.raw_body = large;
  EXPECT_TRUE(AppendNow(log(), std::move(event)).ok());

  Close();  // the writer has ended, and with it the checkpoint

  ASSERT_THAT(fatal(), SizeIs(1));
  EXPECT_EQ(fatal()[0].code(), absl::StatusCode::kDataLoss);
}

TEST_F(StoreFaultTest, FailedReadIsUnavailable) {
  Open();
  ASSERT_TRUE(Append("d-1").ok());
  Open();
  disk_.Fail(FaultVfs::kRead | FaultVfs::kOpen, SQLITE_IOERR_READ);

  EXPECT_EQ(log().Read(0, {}).status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(log().FindTime(clock_.Now()).status().code(), absl::StatusCode::kUnavailable);

  disk_.Heal();
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("d-1"));
}

TEST_F(StoreFaultTest, DiskThatIsFullAtTheStartIsSaidSo) {
  disk_.Fail(FaultVfs::kWrite, SQLITE_FULL);

  const absl::Status status = TryOpen();

  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(status.message(), HasSubstr("free space"));
}

// --- what waits while the disk stalls ---

class StalledDiskTest : public StoreFaultTest {
 protected:
  // Stops the disk in the middle of a commit.
  void Stall() {
    disk_.Hold(FaultVfs::kSync, true);
    log().Append(EventOf("stalled"), [](absl::StatusOr<Appended>) {});
    disk_.WaitUntilHeld();
  }

  void GoOn() { disk_.Hold(FaultVfs::kSync, false); }
};

TEST_F(StalledDiskTest, RelaxedWriteDoesNotWaitForTheDisk) {
  Open();
  Stall();

  EXPECT_TRUE(WriteNow(state(), PutOf("a", "one"), kRelaxed).ok());
  EXPECT_EQ(GetNow(state(), "test", "a").value()->value, "one");
  EXPECT_EQ(ListNow(state(), "test", "", "", 10)->size(), 1u);

  GoOn();
}

TEST_F(StalledDiskTest, DurableWriteIsNotSeenBeforeItIsDurable) {
  Open();
  ASSERT_TRUE(WriteNow(state(), PutOf("a", "old")).ok());
  Stall();
  absl::Notification done;
  state().Write({PutOf("a", "new")}, StateStore::Durability::kDurable,
                [&](std::vector<absl::StatusOr<uint64_t>>) { done.Notify(); });

  EXPECT_EQ(GetNow(state(), "test", "a").value()->value, "old");
  EXPECT_FALSE(done.HasBeenNotified());

  GoOn();
  done.WaitForNotification();
  EXPECT_EQ(GetNow(state(), "test", "a").value()->value, "new");
}

TEST_F(StalledDiskTest, AppendedEventIsNotReadBeforeItIsDurable) {
  Open();
  ASSERT_TRUE(Append("before").ok());
  Stall();

  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("before"));
  EXPECT_EQ(log().Info().head, 1u);

  GoOn();
}

TEST_F(StalledDiskTest, AppendsBeyondTheQueueAreRefusedAtOnce) {
  options_.max_queued_appends = 10;
  Open();
  Stall();
  absl::BlockingCounter queued(10);
  for (int i = 0; i < 10; ++i) {
    log().Append(EventOf(absl::StrCat("queued-", i)), [&](absl::StatusOr<Appended> appended) {
      EXPECT_TRUE(appended.ok()) << appended.status();
      queued.DecrementCount();
    });
  }

  const absl::Status refused = Append("refused").status();

  EXPECT_EQ(refused.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Metric("aulm_log_refused_total"), 1);
  GoOn();
  queued.Wait();
  EXPECT_THAT(ReadDeliveryIds(), SizeIs(11));
}

TEST_F(StalledDiskTest, LargeBodiesAreRefusedBeforeTheyFillTheMemory) {
  options_.max_queued_bytes = 100'000;
  Open();
  Stall();
  NewEvent large = EventOf("large");
  large.raw_body = std::string(100'000, 'x');

  EXPECT_EQ(AppendNow(log(), std::move(large)).status().code(), absl::StatusCode::kResourceExhausted);

  GoOn();
}

TEST_F(StalledDiskTest, CallsOfTheStateBeyondTheirBoundAreRefused) {
  options_.max_open_state_calls = 8;
  Open();
  Stall();
  std::atomic<int> stored{0};
  std::atomic<int> refused{0};
  absl::BlockingCounter open(20);
  for (int i = 0; i < 20; ++i) {
    state().Write({PutOf(absl::StrCat("k", i), "x")}, StateStore::Durability::kDurable,
                  [&](std::vector<absl::StatusOr<uint64_t>> results) {
                    if (results[0].ok()) ++stored;
                    if (absl::IsResourceExhausted(results[0].status())) ++refused;
                    open.DecrementCount();
                  });
    // One after the other through the store's thread: then only the uncommitted keys count.
    ASSERT_TRUE(GetNow(state(), "test", "x").ok());
  }
  GoOn();
  open.Wait();

  EXPECT_EQ(stored, 8);
  EXPECT_EQ(refused, 12);
}

TEST_F(StalledDiskTest, WhatWaitsIsCommittedTogether) {
  Open();
  Stall();
  absl::BlockingCounter open(128 + 20);
  for (int i = 0; i < 128; ++i) {
    log().Append(EventOf(absl::StrCat("d-", i)), [&](absl::StatusOr<Appended>) { open.DecrementCount(); });
  }
  for (int i = 0; i < 20; ++i) {
    state().Write({PutOf(absl::StrCat("k", i), "x")}, StateStore::Durability::kDurable,
                  [&](std::vector<absl::StatusOr<uint64_t>>) { open.DecrementCount(); });
  }
  ASSERT_TRUE(GetNow(state(), "test", "x").ok());  // the writes before it are with the writer
  GoOn();
  open.Wait();

  int commits = 0;
  for (const prometheus::MetricFamily& family : registry_->Collect()) {
    if (family.name == "aulm_store_commit_events") {
      commits = static_cast<int>(family.metric[0].histogram.sample_count);
    }
  }
  EXPECT_EQ(commits, 2) << "the one that stalled, and one for everything that waited";
}

// --- every operation fails once ---

struct Sweep {
  const char* name;
  uint32_t operations;
  int code;
  int least;  // operations that the work has at least
};

class FailureSweepTest : public StoreFaultTest, public testing::WithParamInterface<Sweep> {
 protected:
  // Something of everything that a store does. What was answered OK goes into `stored_`, what was refused into
  // `refused_`.
  void Work(int round) {
    for (int i = 0; i < 6; ++i) {
      const std::string id = absl::StrCat(round, "-", i);
      (Append(id).ok() ? stored_ : refused_).insert(id);
      const std::string key = absl::StrCat("k", i);
      if (WriteNow(state(), PutOf(key, id)).ok()) state_[key] = id;
      [[maybe_unused]] const absl::StatusOr<uint64_t> relaxed = WriteNow(state(), PutOf("relaxed", id), kRelaxed);
      clock_.Advance(absl::Milliseconds(500));
      [[maybe_unused]] const absl::StatusOr<EventPage> page =
          log().Read(std::max<uint64_t>(log().Info().head, 3) - 3, {.raw_body = true});
    }
  }

  std::set<std::string> stored_;
  std::set<std::string> refused_;
  std::map<std::string, std::string> state_;
};

TEST_P(FailureSweepTest, NothingAcknowledgedIsLostAndNothingRefusedIsKept) {
  int failures = 0;
  for (int nth = 0;; ++nth) {
    stored_.clear();
    refused_.clear();
    state_.clear();
    Open();
    disk_.Fail(GetParam().operations, GetParam().code, nth, /*bad=*/1);
    Work(nth);
    const bool is_over = disk_.failures() == 0;
    Close();
    const bool was_fatal = !fatal().empty();
    disk_.Heal();

    Open();
    const std::vector<std::string> ids = ReadDeliveryIds();
    const std::set<std::string> read(ids.begin(), ids.end());
    EXPECT_EQ(read.size(), ids.size()) << "twice in the log, failure " << nth;
    for (const std::string& id : stored_) EXPECT_TRUE(read.contains(id)) << id << " lost, failure " << nth;
    for (const std::string& id : refused_) {
      // After a failed fsync nobody knows: the process ends, and aulm sends again.
      EXPECT_TRUE(was_fatal || !read.contains(id)) << id << " kept, failure " << nth;
      absl::StatusOr<Appended> again = Append(id);
      ASSERT_TRUE(again.ok()) << again.status();
      EXPECT_EQ(again->duplicate, read.contains(id)) << id << ", failure " << nth;
    }
    for (const auto& [key, value] : state_) {
      absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test", key);
      ASSERT_TRUE(entry.ok() && entry->has_value()) << key << ", failure " << nth;
      EXPECT_EQ((*entry)->value, value);
    }
    const absl::Status checked = store_.full_check();
    EXPECT_TRUE(checked.ok()) << checked << ", failure " << nth;
    Close();
    {
      absl::MutexLock lock(&mutex_);
      fatal_.clear();
    }
    if (is_over) break;
    ++failures;
  }
  EXPECT_GE(failures, GetParam().least) << "the sweep must have met something";
}

INSTANTIATE_TEST_SUITE_P(Every, FailureSweepTest,
                         testing::Values(Sweep{"WriteEio", FaultVfs::kWrite, SQLITE_IOERR_WRITE, 10},
                                         Sweep{"WriteEnospc", FaultVfs::kWrite, SQLITE_FULL, 10},
                                         Sweep{"ReadEio", FaultVfs::kRead, SQLITE_IOERR_READ, 10},
                                         Sweep{"OpenEmfile", FaultVfs::kOpen, SQLITE_CANTOPEN, 1},
                                         Sweep{"Fsync", FaultVfs::kSync, SQLITE_IOERR_FSYNC, 10}),
                         [](const testing::TestParamInfo<Sweep>& row) { return row.param.name; });

}  // namespace
}  // namespace aulm::gateway
