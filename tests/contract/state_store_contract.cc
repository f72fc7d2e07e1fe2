#include "tests/contract/state_store_contract.h"

#include <atomic>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "tests/support/store_calls.h"

namespace aulm::gateway {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(StateStoreContract);

namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;
using testing::Optional;

constexpr auto kRelaxed = StateStore::Durability::kRelaxed;
constexpr auto kDurable = StateStore::Durability::kDurable;

StateWrite PutOf(const std::string& key, const std::string& value) {
  StateWrite write;
  write.bucket = "test";
  write.key = key;
  write.value = value;
  return write;
}

StateWrite PutIf(const std::string& key, const std::string& value, uint64_t expected_revision) {
  StateWrite write = PutOf(key, value);
  write.expected_revision = expected_revision;
  return write;
}

StateWrite DeleteOf(const std::string& key) {
  StateWrite write;
  write.bucket = "test";
  write.key = key;
  return write;
}

}  // namespace

uint64_t StateStoreContract::Put(const std::string& key, const std::string& value, absl::Time expires) {
  StateWrite write = PutOf(key, value);
  write.expires = expires;
  absl::StatusOr<uint64_t> revision = WriteNow(state(), std::move(write));
  EXPECT_TRUE(revision.ok()) << revision.status();
  return revision.value_or(0);
}

std::optional<std::string> StateStoreContract::Value(const std::string& key) {
  absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test", key);
  EXPECT_TRUE(entry.ok()) << entry.status();
  if (!entry.ok() || !entry->has_value()) return std::nullopt;
  EXPECT_EQ((*entry)->key, key);
  EXPECT_NE((*entry)->revision, 0u);
  return (*entry)->value;
}

std::vector<std::string> StateStoreContract::Keys(const std::string& prefix, const std::string& after, size_t limit) {
  absl::StatusOr<std::vector<StateEntry>> entries = ListNow(state(), "test", prefix, after, limit);
  EXPECT_TRUE(entries.ok()) << entries.status();
  std::vector<std::string> keys;
  if (entries.ok()) {
    for (const StateEntry& entry : *entries) keys.push_back(entry.key);
  }
  return keys;
}

TEST_P(StateStoreContract, AbsentKeyReadsAsNothing) { EXPECT_EQ(Value("nobody"), std::nullopt); }

TEST_P(StateStoreContract, WrittenValueIsReadWithItsRevisionAndExpiry) {
  const absl::Time expires = engine_->Now() + absl::Hours(1);
  const uint64_t revision = Put("a", "one", expires);

  absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test", "a");

  ASSERT_TRUE(entry.ok()) << entry.status();
  ASSERT_TRUE(entry->has_value());
  EXPECT_EQ((*entry)->key, "a");
  EXPECT_EQ((*entry)->value, "one");
  EXPECT_EQ((*entry)->revision, revision);
  EXPECT_NE(revision, 0u);
  EXPECT_EQ((*entry)->expires, absl::FromUnixMillis(absl::ToUnixMillis(expires)));
}

TEST_P(StateStoreContract, EntryWithoutExpiryNeverExpires) {
  Put("a", "one");

  absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test", "a");

  ASSERT_TRUE(entry.ok() && entry->has_value());
  EXPECT_EQ((*entry)->expires, absl::InfiniteFuture());
}

TEST_P(StateStoreContract, EveryWriteChangesTheRevision) {
  std::set<uint64_t> revisions;
  for (int i = 0; i < 10; ++i) revisions.insert(Put("a", "same"));

  EXPECT_EQ(revisions.size(), 10u);
}

TEST_P(StateStoreContract, ValueMayBeEmptyAndMayBeAnyBytes) {
  const std::string odd("\x00\xff\xc0'\"", 5);
  Put("empty", "");
  Put("odd", odd);
  Put("large", std::string(64 << 10, 'x'));

  EXPECT_THAT(Value("empty"), Optional(std::string()));
  EXPECT_THAT(Value("odd"), Optional(odd));
  EXPECT_THAT(Value("large"), Optional(std::string(64 << 10, 'x')));
}

TEST_P(StateStoreContract, KeysMayHaveEveryCharacterAllowed) {
  const std::string key = "AZaz09_./=-" + std::string(501, 'k');
  Put(key, "one");

  EXPECT_THAT(Value(key), Optional(std::string("one")));
}

TEST_P(StateStoreContract, BucketsAreApart) {
  Put("a", "one");
  StateWrite other = PutOf("a", "two");
  other.bucket = "test_b";
  ASSERT_TRUE(WriteNow(state(), other).ok());

  absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test_b", "a");

  ASSERT_TRUE(entry.ok() && entry->has_value());
  EXPECT_EQ((*entry)->value, "two");
  EXPECT_THAT(Value("a"), Optional(std::string("one")));
}

TEST_P(StateStoreContract, BadKeysBucketsAndValuesAreRefused) {
  StateWrite bad_bucket = PutOf("a", "x");
  bad_bucket.bucket = "Test";
  StateWrite no_bucket = PutOf("a", "x");
  no_bucket.bucket = "";
  const std::vector<StateWrite> writes = {bad_bucket,
                                          no_bucket,
                                          PutOf("", "x"),
                                          PutOf("with space", "x"),
                                          PutOf("with*star", "x"),
                                          PutOf("\xc3\xa9", "x"),
                                          PutOf(std::string(513, 'k'), "x"),
                                          PutOf("a", std::string((64 << 10) + 1, 'x'))};

  for (const StateWrite& write : writes) {
    EXPECT_EQ(WriteNow(state(), write).status().code(), absl::StatusCode::kInvalidArgument) << write.key;
    EXPECT_EQ(WriteNow(state(), write, kRelaxed).status().code(), absl::StatusCode::kInvalidArgument) << write.key;
  }
  EXPECT_EQ(GetNow(state(), "Test", "a").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(GetNow(state(), "test", "a b").status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(ListNow(state(), "Test", "", "", 1).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_P(StateStoreContract, CreateSucceedsOnlyWhereNothingIs) {
  EXPECT_TRUE(WriteNow(state(), PutIf("a", "one", 0)).ok());
  EXPECT_EQ(WriteNow(state(), PutIf("a", "two", 0)).status().code(), absl::StatusCode::kAborted);

  EXPECT_THAT(Value("a"), Optional(std::string("one")));
}

TEST_P(StateStoreContract, CompareAndSetNeedsTheLastRevision) {
  const uint64_t first = Put("a", "one");
  absl::StatusOr<uint64_t> second = WriteNow(state(), PutIf("a", "two", first));

  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(WriteNow(state(), PutIf("a", "three", first)).status().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(WriteNow(state(), PutIf("a", "four", *second)).ok());
  EXPECT_THAT(Value("a"), Optional(std::string("four")));
}

TEST_P(StateStoreContract, CompareAndSetOfAnAbsentKeyIsAborted) {
  EXPECT_EQ(WriteNow(state(), PutIf("a", "one", 12345)).status().code(), absl::StatusCode::kAborted);
  EXPECT_EQ(Value("a"), std::nullopt);
}

TEST_P(StateStoreContract, DeletedKeyIsGone) {
  Put("a", "one");

  absl::StatusOr<uint64_t> deleted = WriteNow(state(), DeleteOf("a"));

  ASSERT_TRUE(deleted.ok()) << deleted.status();
  EXPECT_EQ(*deleted, 0u);
  EXPECT_EQ(Value("a"), std::nullopt);
  EXPECT_THAT(Keys(), IsEmpty());
}

TEST_P(StateStoreContract, DeletingWhatIsNotThereSucceeds) { EXPECT_TRUE(WriteNow(state(), DeleteOf("a")).ok()); }

TEST_P(StateStoreContract, DeleteMayNeedARevisionToo) {
  const uint64_t revision = Put("a", "one");
  StateWrite stale = DeleteOf("a");
  stale.expected_revision = revision + 1;
  StateWrite right = DeleteOf("a");
  right.expected_revision = revision;

  EXPECT_EQ(WriteNow(state(), stale).status().code(), absl::StatusCode::kAborted);
  EXPECT_THAT(Value("a"), Optional(std::string("one")));
  EXPECT_TRUE(WriteNow(state(), right).ok());
  EXPECT_EQ(Value("a"), std::nullopt);
}

TEST_P(StateStoreContract, RevisionBeforeADeleteDoesNotFitWhatIsWrittenAfter) {
  const uint64_t revision = Put("a", "one");
  ASSERT_TRUE(WriteNow(state(), DeleteOf("a")).ok());
  engine_->Reopen();
  Put("a", "two");

  EXPECT_EQ(WriteNow(state(), PutIf("a", "three", revision)).status().code(), absl::StatusCode::kAborted);
}

TEST_P(StateStoreContract, WritesOfOneBatchSucceedOrFailAlone) {
  const uint64_t revision = Put("b", "old");

  std::vector<absl::StatusOr<uint64_t>> results = WriteAllNow(
      state(),
      {PutOf("a", "1"), PutIf("b", "2", revision + 1), PutIf("c", "3", 0), PutOf("bad key", "4"), DeleteOf("d")});

  ASSERT_EQ(results.size(), 5u);
  EXPECT_TRUE(results[0].ok());
  EXPECT_EQ(results[1].status().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(results[2].ok());
  EXPECT_EQ(results[3].status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(results[4].ok());
  EXPECT_THAT(Value("a"), Optional(std::string("1")));
  EXPECT_THAT(Value("b"), Optional(std::string("old")));
  EXPECT_THAT(Value("c"), Optional(std::string("3")));
}

TEST_P(StateStoreContract, WritesOfOneKeyInOneBatchCountInTheirOrder) {
  for (const StateStore::Durability durability : {kDurable, kRelaxed}) {
    ASSERT_TRUE(WriteNow(state(), DeleteOf("a")).ok());

    std::vector<absl::StatusOr<uint64_t>> results =
        WriteAllNow(state(), {PutIf("a", "1", 0), PutIf("a", "2", 0), PutOf("a", "3")}, durability);

    ASSERT_EQ(results.size(), 3u);
    EXPECT_TRUE(results[0].ok());
    EXPECT_EQ(results[1].status().code(), absl::StatusCode::kAborted);
    EXPECT_TRUE(results[2].ok());
    EXPECT_THAT(Value("a"), Optional(std::string("3")));
  }
}

TEST_P(StateStoreContract, EmptyBatchIsAnsweredWithNothing) { EXPECT_THAT(WriteAllNow(state(), {}), IsEmpty()); }

TEST_P(StateStoreContract, RelaxedWriteIsSeenByWhatComesAfter) {
  absl::StatusOr<uint64_t> revision = WriteNow(state(), PutOf("a", "one"), kRelaxed);

  ASSERT_TRUE(revision.ok()) << revision.status();
  EXPECT_THAT(Value("a"), Optional(std::string("one")));
  EXPECT_THAT(Keys(), ElementsAre("a"));
  EXPECT_EQ(WriteNow(state(), PutIf("a", "two", 0), kRelaxed).status().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(WriteNow(state(), PutIf("a", "three", *revision), kRelaxed).ok());
  EXPECT_THAT(Value("a"), Optional(std::string("three")));
}

TEST_P(StateStoreContract, RelaxedDeleteIsSeenByWhatComesAfter) {
  Put("a", "one");
  Put("b", "two");

  ASSERT_TRUE(WriteNow(state(), DeleteOf("a"), kRelaxed).ok());

  EXPECT_EQ(Value("a"), std::nullopt);
  EXPECT_THAT(Keys(), ElementsAre("b"));
  EXPECT_TRUE(WriteNow(state(), PutIf("a", "again", 0), kRelaxed).ok());
}

TEST_P(StateStoreContract, RelaxedWriteThatNobodyWaitsForIsSeenByWhatComesAfter) {
  ASSERT_TRUE(WriteNow(state(), PutOf("a", "zero")).ok());

  state().Write({PutOf("a", "one"), PutOf("b", "two")}, kRelaxed, nullptr);
  state().Write({PutIf("b", "never", 0)}, kRelaxed, nullptr);  // nobody hears that it failed
  state().Write({}, kRelaxed, nullptr);

  EXPECT_EQ(Value("a"), "one");
  EXPECT_EQ(Value("b"), "two");
}

TEST_P(StateStoreContract, DurableAndRelaxedWritesOfOneKeyKeepTheirOrder) {
  absl::BlockingCounter open(60);
  const auto done = [&](std::vector<absl::StatusOr<uint64_t>> results) {
    for (const absl::StatusOr<uint64_t>& result : results) EXPECT_TRUE(result.ok()) << result.status();
    open.DecrementCount();
  };
  for (int i = 0; i < 60; ++i) {
    state().Write({PutOf("a", absl::StrCat(i))}, i % 3 == 0 ? kDurable : kRelaxed, done);
  }
  open.Wait();

  EXPECT_THAT(Value("a"), Optional(std::string("59")));
  engine_->Reopen();
  EXPECT_THAT(Value("a"), Optional(std::string("59")));
}

TEST_P(StateStoreContract, RestartKeepsEverything) {
  const uint64_t durable = Put("durable", "one");
  absl::StatusOr<uint64_t> relaxed = WriteNow(state(), PutOf("relaxed", "two"), kRelaxed);
  ASSERT_TRUE(relaxed.ok()) << relaxed.status();

  engine_->Reopen();

  EXPECT_THAT(Value("durable"), Optional(std::string("one")));
  EXPECT_THAT(Value("relaxed"), Optional(std::string("two")));
  EXPECT_TRUE(WriteNow(state(), PutIf("durable", "three", durable)).ok());
  EXPECT_TRUE(WriteNow(state(), PutIf("relaxed", "four", *relaxed)).ok());
}

TEST_P(StateStoreContract, ExpiredEntryIsAbsent) {
  for (const StateStore::Durability durability : {kDurable, kRelaxed}) {
    StateWrite write = PutOf("a", "one");
    write.expires = engine_->Now() + absl::Seconds(10);
    absl::StatusOr<uint64_t> revision = WriteNow(state(), write, durability);
    ASSERT_TRUE(revision.ok()) << revision.status();
    EXPECT_THAT(Value("a"), Optional(std::string("one")));

    engine_->PassTime(absl::Seconds(11));

    EXPECT_EQ(Value("a"), std::nullopt);
    EXPECT_THAT(Keys(), IsEmpty());
    EXPECT_EQ(WriteNow(state(), PutIf("a", "two", *revision)).status().code(), absl::StatusCode::kAborted);
    EXPECT_TRUE(WriteNow(state(), PutIf("a", "three", 0)).ok());
    EXPECT_TRUE(WriteNow(state(), DeleteOf("a")).ok());
  }
}

TEST_P(StateStoreContract, LaterWriteSetsTheExpiryAnew) {
  Put("a", "one", engine_->Now() + absl::Seconds(10));
  Put("a", "two");

  engine_->PassTime(absl::Hours(1));

  EXPECT_THAT(Value("a"), Optional(std::string("two")));
}

TEST_P(StateStoreContract, ListGivesKeysInOrderWithTheirValues) {
  for (const char* key : {"b", "a/2", "a/10", "a", "A", "a-1", "a.x", "z"}) Put(key, absl::StrCat("value of ", key));

  absl::StatusOr<std::vector<StateEntry>> entries = ListNow(state(), "test", "", "", 100);

  ASSERT_TRUE(entries.ok()) << entries.status();
  std::vector<std::string> keys;
  for (const StateEntry& entry : *entries) {
    keys.push_back(entry.key);
    EXPECT_EQ(entry.value, absl::StrCat("value of ", entry.key));
    EXPECT_NE(entry.revision, 0u);
  }
  EXPECT_THAT(keys, ElementsAre("A", "a", "a-1", "a.x", "a/10", "a/2", "b", "z"));
}

TEST_P(StateStoreContract, ListKeepsToItsPrefix) {
  for (const char* key : {"a", "aa", "aaa", "ab", "b", "Z"}) Put(key, "x");

  EXPECT_THAT(Keys("aa"), ElementsAre("aa", "aaa"));
  EXPECT_THAT(Keys("a"), ElementsAre("a", "aa", "aaa", "ab"));
  EXPECT_THAT(Keys("c"), IsEmpty());
}

TEST_P(StateStoreContract, ListPagesByKey) {
  std::vector<std::string> expected;
  for (int i = 100; i < 125; ++i) {
    expected.push_back(absl::StrCat("k/", i));
    // Some committed, some perhaps not yet: a page must hold both.
    ASSERT_TRUE(WriteNow(state(), PutOf(expected.back(), "x"), i % 2 == 0 ? kDurable : kRelaxed).ok());
  }
  Put("l", "x");
  std::vector<std::string> listed;
  while (true) {
    const std::vector<std::string> page = Keys("k/", listed.empty() ? "" : listed.back(), 4);
    EXPECT_LE(page.size(), 4u);
    if (page.empty()) break;
    listed.insert(listed.end(), page.begin(), page.end());
  }

  EXPECT_THAT(listed, ElementsAreArray(expected));
}

TEST_P(StateStoreContract, ListAfterAKeyThatIsNotThereGoesOnBehindIt) {
  for (const char* key : {"a", "c", "c-", "e"}) Put(key, "x");

  EXPECT_THAT(Keys("", "b"), ElementsAre("c", "c-", "e"));
  EXPECT_THAT(Keys("", "c"), ElementsAre("c-", "e"));
  EXPECT_THAT(Keys("", "zz"), IsEmpty());
  EXPECT_THAT(Keys("c", "a"), ElementsAre("c", "c-"));
  EXPECT_THAT(Keys("", "", 0), IsEmpty());
}

TEST_P(StateStoreContract, ExpiredEntriesTakeNoPlaceInAPage) {
  for (int i = 0; i < 20; ++i) {
    const absl::Time expires = i % 4 == 0 ? absl::InfiniteFuture() : engine_->Now() + absl::Seconds(1);
    Put(absl::StrCat("k", 100 + i), "x", expires);
  }
  engine_->PassTime(absl::Seconds(2));

  EXPECT_THAT(Keys("", "", 3), ElementsAre("k100", "k104", "k108"));
}

TEST_P(StateStoreContract, OfManyWhoCreateOneKeyOneSucceeds) {
  for (const StateStore::Durability durability : {kDurable, kRelaxed}) {
    constexpr int kThreads = 8;
    constexpr int kTries = 20;
    const std::string key = durability == kDurable ? "durable" : "relaxed";
    std::atomic<int> created{0};
    std::atomic<int> aborted{0};
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int i = 0; i < kTries; ++i) {
          absl::StatusOr<uint64_t> result = WriteNow(state(), PutIf(absl::StrCat(key, i), "x", 0), durability);
          if (result.ok()) ++created;
          if (absl::IsAborted(result.status())) ++aborted;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();

    EXPECT_EQ(created, kTries);
    EXPECT_EQ(aborted, kTries * (kThreads - 1));
  }
}

TEST_P(StateStoreContract, CountingByCompareAndSetLosesNothing) {
  for (const StateStore::Durability durability : {kDurable, kRelaxed}) {
    constexpr int kThreads = 4;
    constexpr int kSteps = 25;
    const std::string key = durability == kDurable ? "durable" : "relaxed";
    Put(key, "0");
    std::vector<std::thread> threads;
    for (int thread = 0; thread < kThreads; ++thread) {
      threads.emplace_back([&] {
        for (int step = 0; step < kSteps;) {
          absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test", key);
          ASSERT_TRUE(entry.ok() && entry->has_value());
          const int next = std::stoi((*entry)->value) + 1;
          absl::StatusOr<uint64_t> written =
              WriteNow(state(), PutIf(key, absl::StrCat(next), (*entry)->revision), durability);
          if (written.ok()) ++step;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();

    EXPECT_THAT(Value(key), Optional(absl::StrCat(kThreads * kSteps)));
  }
}

TEST_P(StateStoreContract, CallbackMayCallTheStoreAgain) {
  absl::Notification done;
  std::optional<StateEntry> read;
  state().Write({PutOf("a", "one")}, kDurable, [&](std::vector<absl::StatusOr<uint64_t>>) {
    state().Write({PutOf("a", "two")}, kRelaxed, [&](std::vector<absl::StatusOr<uint64_t>>) {
      state().Get("test", "a", [&](absl::StatusOr<std::optional<StateEntry>> entry) {
        if (entry.ok()) read = *entry;
        done.Notify();
      });
    });
  });
  done.WaitForNotification();

  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->value, "two");
}

TEST_P(StateStoreContract, CallsUnderWayAreAnsweredWhenTheStoreCloses) {
  constexpr int kCalls = 200;
  std::atomic<int> answered{0};
  for (int i = 0; i < kCalls; ++i) {
    // Several of each key, so that some wait behind others.
    state().Write({PutOf(absl::StrCat("k", i % 20), "x")}, i % 2 == 0 ? kDurable : kRelaxed,
                  [&](std::vector<absl::StatusOr<uint64_t>>) { ++answered; });
    state().Get("test", "k1", [&](absl::StatusOr<std::optional<StateEntry>>) { ++answered; });
  }

  engine_->Reopen();

  EXPECT_EQ(answered, 2 * kCalls);
}

}  // namespace aulm::gateway
