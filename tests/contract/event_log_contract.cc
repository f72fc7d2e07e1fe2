#include "tests/contract/event_log_contract.h"

#include <atomic>
#include <map>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "tests/support/store_calls.h"

namespace aulm::gateway {

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(EventLogContract);

namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

NewEvent EventOf(const std::string& delivery_id) {
  NewEvent event;
  event.account = "default";
  event.session_id = "11111111-2222-3333-4444-555555555555";
  event.peer = "+966512345678";
  event.message_id = absl::StrCat("wamid-", delivery_id);
  event.type = 2;
  event.status = 3;
  event.delivery_id = delivery_id;
  event.event = absl::StrCat("encoded ", delivery_id);
  event.raw_body = absl::StrCat("{\"delivery_id\": \"", delivery_id, "\"}");
  return event;
}

NewEvent EventOfAccount(const std::string& account, const std::string& delivery_id) {
  NewEvent event = EventOf(delivery_id);
  event.account = account;
  return event;
}

}  // namespace

uint64_t EventLogContract::Append(NewEvent event) {
  absl::StatusOr<Appended> appended = AppendNow(log(), std::move(event));
  EXPECT_TRUE(appended.ok()) << appended.status();
  if (!appended.ok()) return 0;
  EXPECT_FALSE(appended->duplicate);
  return appended->sequence;
}

uint64_t EventLogContract::Append(const std::string& delivery_id) { return Append(EventOf(delivery_id)); }

std::vector<uint64_t> EventLogContract::ReadSequences(uint64_t after, ReadLimits limits) {
  std::vector<uint64_t> sequences;
  while (true) {
    absl::StatusOr<EventPage> page = log().Read(after, limits);
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return sequences;
    for (const LoggedEvent& event : page->events) sequences.push_back(event.sequence);
    if (page->end_of_log) return sequences;
    EXPECT_FALSE(page->events.empty()) << "an empty page must be the end of the log";
    if (page->events.empty()) return sequences;
    after = page->events.back().sequence;
  }
}

std::vector<std::string> EventLogContract::ReadDeliveryIds() {
  absl::StatusOr<EventPage> page = log().Read(0, {.max_events = 100'000, .max_bytes = 1 << 30});
  EXPECT_TRUE(page.ok()) << page.status();
  std::vector<std::string> ids;
  if (!page.ok()) return ids;
  EXPECT_TRUE(page->end_of_log);
  for (const LoggedEvent& event : page->events) ids.emplace_back(event.delivery_id);
  return ids;
}

TEST_P(EventLogContract, EmptyLogHasNothingToRead) {
  absl::StatusOr<EventPage> page = log().Read(0, {});

  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_THAT(page->events, IsEmpty());
  EXPECT_TRUE(page->end_of_log);
}

TEST_P(EventLogContract, EmptyLogTellsItsEpochAndWhereItWillBegin) {
  const LogInfo info = log().Info();

  EXPECT_NE(info.epoch, 0u);
  EXPECT_EQ(info.head, 0u);
  EXPECT_EQ(info.earliest, 1u);
}

TEST_P(EventLogContract, EverythingOfAnEventIsReadAsItWasAppended) {
  NewEvent event = EventOf("d-1");
  event.test = true;
  const absl::Time before = engine_->Now();
  const uint64_t sequence = Append(event);

  absl::StatusOr<EventPage> page = log().Read(0, {.raw_body = true});

  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), 1u);
  const LoggedEvent& read = page->events[0];
  EXPECT_EQ(read.sequence, sequence);
  EXPECT_GE(read.ingested, absl::FromUnixMillis(absl::ToUnixMillis(before)));
  EXPECT_LE(read.ingested, engine_->Now());
  EXPECT_EQ(read.attributes.account, event.account);
  EXPECT_EQ(read.attributes.session_id, event.session_id);
  EXPECT_EQ(read.attributes.peer, event.peer);
  EXPECT_EQ(read.attributes.message_id, event.message_id);
  EXPECT_EQ(read.attributes.type, event.type);
  EXPECT_EQ(read.attributes.status, event.status);
  EXPECT_TRUE(read.attributes.test);
  EXPECT_EQ(read.delivery_id, event.delivery_id);
  EXPECT_EQ(read.event, event.event);
  EXPECT_EQ(read.raw_body, event.raw_body);
}

TEST_P(EventLogContract, EventWithNothingInItIsKept) {
  NewEvent event;
  event.account = "default";
  Append(event);

  absl::StatusOr<EventPage> page = log().Read(0, {.raw_body = true});

  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), 1u);
  const LoggedEvent& read = page->events[0];
  EXPECT_EQ(read.attributes.session_id, "");
  EXPECT_EQ(read.attributes.peer, "");
  EXPECT_FALSE(read.attributes.test);
  EXPECT_EQ(read.delivery_id, "");
  EXPECT_EQ(read.event, "");
  EXPECT_EQ(read.raw_body, "");
}

TEST_P(EventLogContract, RawBodyComesOnlyWhenAskedFor) {
  Append("d-1");

  absl::StatusOr<EventPage> page = log().Read(0, {.raw_body = false});

  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), 1u);
  EXPECT_EQ(page->events[0].raw_body, "");
  EXPECT_EQ(page->events[0].event, "encoded d-1");
}

TEST_P(EventLogContract, BytesThatAreNotUtf8ComeBackAsTheyWere) {
  const std::string odd("\xff\x00\xc0\x80\n\"", 6);
  NewEvent event = EventOf(odd);
  event.peer = odd;
  event.message_id = odd;
  event.event = odd;
  event.raw_body = odd;
  Append(event);

  absl::StatusOr<EventPage> page = log().Read(0, {.raw_body = true});

  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), 1u);
  EXPECT_EQ(page->events[0].attributes.peer, odd);
  EXPECT_EQ(page->events[0].attributes.message_id, odd);
  EXPECT_EQ(page->events[0].delivery_id, odd);
  EXPECT_EQ(page->events[0].event, odd);
  EXPECT_EQ(page->events[0].raw_body, odd);
}

TEST_P(EventLogContract, RawBodyOfOneMebibyteIsKeptWhole) {
  NewEvent event = EventOf("large");
  event.raw_body.clear();
  for (int i = 0; event.raw_body.size() < 1 << 20; ++i) absl::StrAppend(&event.raw_body, i, ",");
  event.raw_body.resize(1 << 20);
  Append("before");
  Append(event);
  Append("after");

  absl::StatusOr<EventPage> page = log().Read(0, {.raw_body = true});

  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), 3u);
  EXPECT_TRUE(page->events[1].raw_body == event.raw_body);
  EXPECT_EQ(page->events[2].delivery_id, "after");
}

TEST_P(EventLogContract, EventsOfOneThreadKeepTheirOrder) {
  std::vector<NewEvent> events;
  std::vector<std::string> ids;
  for (int i = 0; i < 1000; ++i) {
    ids.push_back(absl::StrCat("d-", i));
    events.push_back(EventOf(ids.back()));
  }

  AppendAllNow(log(), std::move(events));

  EXPECT_THAT(ReadDeliveryIds(), ElementsAreArray(ids));
}

TEST_P(EventLogContract, CallbacksComeInTheOrderOfTheSequences) {
  constexpr int kEvents = 500;
  absl::Mutex mutex;
  std::vector<uint64_t> called;
  absl::Notification done;

  for (int i = 0; i < kEvents; ++i) {
    log().Append(EventOf(absl::StrCat("d-", i)), [&](absl::StatusOr<Appended> appended) {
      bool last;
      {
        absl::MutexLock lock(&mutex);
        called.push_back(appended.ok() ? appended->sequence : 0);
        last = called.size() == kEvents;
      }
      if (last) done.Notify();  // not under the lock, which goes with this test
    });
  }
  done.WaitForNotification();

  EXPECT_THAT(called, ElementsAreArray(ReadSequences(0)));
}

TEST_P(EventLogContract, AppendedEventCanBeReadByItsCallback) {
  std::vector<std::string> seen;
  absl::Notification done;

  log().Append(EventOf("d-1"), [&](absl::StatusOr<Appended>) {
    seen = ReadDeliveryIds();
    done.Notify();
  });
  done.WaitForNotification();

  EXPECT_THAT(seen, ElementsAre("d-1"));
}

TEST_P(EventLogContract, DuplicateDeliveryGivesTheFirstSequenceAndStoresNothing) {
  const uint64_t first = Append("d-1");
  Append("d-2");

  absl::StatusOr<Appended> again = AppendNow(log(), EventOf("d-1"));

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->sequence, first);
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("d-1", "d-2"));
}

TEST_P(EventLogContract, DuplicatesAppendedTogetherAreStoredOnce) {
  std::vector<NewEvent> events;
  for (int i = 0; i < 100; ++i) events.push_back(EventOf("same"));

  std::vector<absl::StatusOr<Appended>> results = AppendAllNow(log(), std::move(events));

  int stored = 0;
  std::set<uint64_t> sequences;
  for (const absl::StatusOr<Appended>& result : results) {
    ASSERT_TRUE(result.ok()) << result.status();
    stored += result->duplicate ? 0 : 1;
    sequences.insert(result->sequence);
  }
  EXPECT_EQ(stored, 1);
  EXPECT_EQ(sequences.size(), 1u);
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("same"));
}

TEST_P(EventLogContract, DuplicateOfWhatWasAppendedAMomentAgoIsOne) {
  NewEvent event = EventOf("d-1");
  event.not_before = absl::Now() - absl::Seconds(1);
  const absl::StatusOr<Appended> first = AppendNow(log(), event);
  ASSERT_TRUE(first.ok()) << first.status();

  const absl::StatusOr<Appended> again = AppendNow(log(), event);
  engine_->Reopen();
  const absl::StatusOr<Appended> later = AppendNow(log(), event);

  for (const absl::StatusOr<Appended>& duplicate : {again, later}) {
    ASSERT_TRUE(duplicate.ok()) << duplicate.status();
    EXPECT_TRUE(duplicate->duplicate);
    EXPECT_EQ(duplicate->sequence, first->sequence);
  }
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("d-1"));
}

TEST_P(EventLogContract, DuplicateWithAnotherBodyIsStillADuplicate) {
  Append("d-1");
  NewEvent other = EventOf("d-1");
  other.event = "something else";

  absl::StatusOr<Appended> again = AppendNow(log(), other);

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
}

TEST_P(EventLogContract, EventsWithoutADeliveryIdAreNeverDuplicates) {
  Append("");
  Append("");

  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("", ""));
}

TEST_P(EventLogContract, AccountsDoNotShareDeliveryIds) {
  Append(EventOfAccount("shop", "d-1"));
  Append(EventOfAccount("support", "d-1"));

  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("d-1", "d-1"));
}

TEST_P(EventLogContract, AccountAndDeliveryIdAreNotRunTogether) {
  Append(EventOfAccount("a", "bc"));
  Append(EventOfAccount("ab", "c"));
  Append(EventOfAccount("c", "ab"));

  EXPECT_EQ(ReadDeliveryIds().size(), 3u);
}

TEST_P(EventLogContract, DeliveryIdsDifferByCaseAndByForm) {
  const std::string uuid = "aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee";
  Append(uuid);
  Append("AAAAAAAA-BBBB-4CCC-8DDD-EEEEEEEEEEEE");
  Append("aaaaaaaabbbb4ccc8dddeeeeeeeeeeee");
  Append(std::string("\xaa\xaa\xaa\xaa\xbb\xbb\x4c\xcc\x8d\xdd\xee\xee\xee\xee\xee\xee", 16));

  absl::StatusOr<Appended> again = AppendNow(log(), EventOf(uuid));

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(ReadDeliveryIds().size(), 4u);
}

TEST_P(EventLogContract, DeliveryIdOfAnyLengthIsKnownAgain) {
  const std::string id(4000, 'x');
  const uint64_t first = Append(id);
  Append(id + "y");

  absl::StatusOr<Appended> again = AppendNow(log(), EventOf(id));

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->sequence, first);
}

TEST_P(EventLogContract, DuplicateIsKnownAfterARestart) {
  const uint64_t first = Append("d-1");
  engine_->Reopen();

  absl::StatusOr<Appended> again = AppendNow(log(), EventOf("d-1"));

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->sequence, first);
}

TEST_P(EventLogContract, DuplicateIsKnownWhenItsEventHasExpired) {
  Append("d-1");
  engine_->ExpireEvents();
  engine_->Reopen();

  absl::StatusOr<Appended> again = AppendNow(log(), EventOf("d-1"));

  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->sequence, 0u);
  EXPECT_THAT(ReadDeliveryIds(), IsEmpty());
}

TEST_P(EventLogContract, ReadBeginsAfterTheSequenceGiven) {
  const uint64_t first = Append("d-1");
  const uint64_t second = Append("d-2");
  const uint64_t third = Append("d-3");

  EXPECT_THAT(ReadSequences(0), ElementsAre(first, second, third));
  EXPECT_THAT(ReadSequences(first), ElementsAre(second, third));
  EXPECT_THAT(ReadSequences(third), IsEmpty());
}

TEST_P(EventLogContract, ReadBeyondTheHeadIsAnEmptyEnd) {
  Append("d-1");

  for (const uint64_t after : {uint64_t{1'000'000}, ~uint64_t{0}}) {
    absl::StatusOr<EventPage> page = log().Read(after, {});
    ASSERT_TRUE(page.ok()) << page.status();
    EXPECT_THAT(page->events, IsEmpty());
    EXPECT_TRUE(page->end_of_log);
  }
}

TEST_P(EventLogContract, ReadBelowTheEarliestBeginsWithTheEarliest) {
  Append("d-1");
  engine_->ExpireEvents();
  const uint64_t kept = Append("d-2");

  EXPECT_THAT(ReadSequences(0), ElementsAre(kept));
}

TEST_P(EventLogContract, PageHoldsAtMostTheEventsAskedFor) {
  std::vector<uint64_t> appended;
  for (int i = 0; i < 7; ++i) appended.push_back(Append(absl::StrCat("d-", i)));

  absl::StatusOr<EventPage> page = log().Read(0, {.max_events = 3});

  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->events.size(), 3u);
  EXPECT_FALSE(page->end_of_log);
  EXPECT_THAT(ReadSequences(0, {.max_events = 3}), ElementsAreArray(appended));
  EXPECT_THAT(ReadSequences(0, {.max_events = 1}), ElementsAreArray(appended));
}

TEST_P(EventLogContract, FullPageThatEndsWithTheLogSaysSo) {
  Append("d-1");
  Append("d-2");

  absl::StatusOr<EventPage> page = log().Read(0, {.max_events = 2});

  ASSERT_TRUE(page.ok()) << page.status();
  EXPECT_EQ(page->events.size(), 2u);
  EXPECT_TRUE(page->end_of_log);
}

TEST_P(EventLogContract, PageHoldsAtMostTheBytesAskedForButOneEventAlways) {
  std::vector<uint64_t> appended;
  for (int i = 0; i < 5; ++i) {
    NewEvent event = EventOf(absl::StrCat("d-", i));
    event.event = std::string(1000, 'e');
    event.raw_body = std::string(1000, 'r');
    appended.push_back(Append(event));
  }

  absl::StatusOr<EventPage> two = log().Read(0, {.max_bytes = 4000, .raw_body = true});
  absl::StatusOr<EventPage> four = log().Read(0, {.max_bytes = 4000, .raw_body = false});
  absl::StatusOr<EventPage> one = log().Read(0, {.max_bytes = 1, .raw_body = true});

  ASSERT_TRUE(two.ok() && four.ok() && one.ok());
  EXPECT_EQ(two->events.size(), 2u);
  EXPECT_EQ(four->events.size(), 4u);
  EXPECT_EQ(one->events.size(), 1u);
  EXPECT_FALSE(one->end_of_log);
  EXPECT_THAT(ReadSequences(0, {.max_bytes = 1, .raw_body = true}), ElementsAreArray(appended));
}

TEST_P(EventLogContract, PageOutlivesWhatHappensToTheLog) {
  Append("d-1");
  absl::StatusOr<EventPage> page = log().Read(0, {.raw_body = true});
  ASSERT_TRUE(page.ok()) << page.status();
  const EventPage moved = *std::move(page);

  engine_->ExpireEvents();
  engine_->Reopen();

  ASSERT_EQ(moved.events.size(), 1u);
  EXPECT_EQ(moved.events[0].event, "encoded d-1");
  EXPECT_EQ(moved.events[0].raw_body, "{\"delivery_id\": \"d-1\"}");
}

TEST_P(EventLogContract, InfoFollowsTheHead) {
  const uint64_t first = Append("d-1");
  const uint64_t second = Append("d-2");

  EXPECT_EQ(log().Info().head, second);
  EXPECT_EQ(log().Info().earliest, first);
}

TEST_P(EventLogContract, RestartKeepsEverything) {
  const uint64_t epoch = log().Info().epoch;
  const uint64_t first = Append("d-1");
  const uint64_t second = Append("d-2");

  engine_->Reopen();

  EXPECT_EQ(log().Info().epoch, epoch);
  EXPECT_EQ(log().Info().earliest, first);
  EXPECT_EQ(log().Info().head, second);
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("d-1", "d-2"));
  EXPECT_GT(Append("d-3"), second);
}

TEST_P(EventLogContract, TwoLogsHaveTwoEpochs) {
  std::unique_ptr<StoreEngine> other = GetParam().make();

  EXPECT_NE(other->log().Info().epoch, log().Info().epoch);
}

TEST_P(EventLogContract, ExpiredLogIsEmptyAndKeepsItsHead) {
  Append("d-1");
  const uint64_t head = Append("d-2");

  engine_->ExpireEvents();

  EXPECT_THAT(ReadSequences(0), IsEmpty());
  EXPECT_EQ(log().Info().head, head);
  EXPECT_EQ(log().Info().earliest, head + 1);
}

TEST_P(EventLogContract, SequencesAreNotUsedAgainAfterEverythingExpired) {
  const uint64_t head = Append("d-1");
  engine_->ExpireEvents();
  engine_->Reopen();

  EXPECT_EQ(log().Info().head, head);
  EXPECT_EQ(log().Info().earliest, head + 1);
  EXPECT_GT(Append("d-2"), head);
}

TEST_P(EventLogContract, IngestedTimeNeverDecreases) {
  for (int i = 0; i < 20; ++i) {
    Append(absl::StrCat("d-", i));
    engine_->PassTime(absl::Milliseconds(i % 3));
  }

  absl::StatusOr<EventPage> page = log().Read(0, {});

  ASSERT_TRUE(page.ok()) << page.status();
  for (size_t i = 1; i < page->events.size(); ++i) EXPECT_GE(page->events[i].ingested, page->events[i - 1].ingested);
}

TEST_P(EventLogContract, FindHeadIsTheNewestEventEverStored) {
  EXPECT_EQ(log().FindHead().value_or(1), 0u);
  Append("d-1");
  const uint64_t head = Append("d-2");

  EXPECT_EQ(log().FindHead().value_or(0), head);
  engine_->ExpireEvents();
  EXPECT_EQ(log().FindHead().value_or(0), head);
}

TEST_P(EventLogContract, FindTimeOnAnEmptyLogIsTheHead) {
  absl::StatusOr<uint64_t> found = log().FindTime(engine_->Now());

  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, log().Info().head);
}

TEST_P(EventLogContract, FindTimeComesBeforeTheFirstEventOfThatTime) {
  constexpr int kEvents = 40;
  for (int i = 0; i < kEvents; ++i) {
    Append(absl::StrCat("d-", i));
    if (i % 3 == 2) engine_->PassTime(absl::Milliseconds(10));
  }
  absl::StatusOr<EventPage> page = log().Read(0, {});
  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), static_cast<size_t>(kEvents));

  for (const LoggedEvent& event : page->events) {
    for (const absl::Duration offset : {-absl::Microseconds(1), absl::ZeroDuration(), absl::Microseconds(1)}) {
      const absl::Time time = event.ingested + offset;
      std::vector<uint64_t> expected;
      for (const LoggedEvent& other : page->events) {
        if (other.ingested >= time) expected.push_back(other.sequence);
      }
      absl::StatusOr<uint64_t> found = log().FindTime(time);
      ASSERT_TRUE(found.ok()) << found.status();
      EXPECT_THAT(ReadSequences(*found), ElementsAreArray(expected));
    }
  }
}

TEST_P(EventLogContract, FindTimeOutsideTheLogIsOneOfItsEnds) {
  const uint64_t first = Append("d-1");
  const uint64_t head = Append("d-2");

  absl::StatusOr<uint64_t> past = log().FindTime(absl::InfinitePast());
  absl::StatusOr<uint64_t> future = log().FindTime(absl::InfiniteFuture());

  ASSERT_TRUE(past.ok() && future.ok());
  EXPECT_LT(*past, first);
  EXPECT_EQ(*future, head);
}

TEST_P(EventLogContract, FindTimeAfterEverythingExpiredIsTheHead) {
  Append("d-1");
  engine_->ExpireEvents();

  absl::StatusOr<uint64_t> found = log().FindTime(absl::UnixEpoch());

  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(*found, log().Info().head);
}

TEST_P(EventLogContract, WatcherIsToldOfTheNewHead) {
  absl::Mutex mutex;
  uint64_t head = 0;
  log().Watch([&](uint64_t new_head) {
    absl::MutexLock lock(&mutex);
    EXPECT_GT(new_head, head);
    head = new_head;
  });

  const uint64_t appended = Append("d-1");

  {
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(+[](uint64_t* seen) { return *seen != 0; }, &head));
    EXPECT_EQ(head, appended);
  }
  log().Unwatch();
}

TEST_P(EventLogContract, WatchedHeadCanBeReadAtOnce) {
  absl::Notification seen;
  std::vector<std::string> ids;
  log().Watch([&](uint64_t head) {
    EXPECT_EQ(log().Info().head, head);
    ids = ReadDeliveryIds();
    seen.Notify();
  });

  Append("d-1");
  seen.WaitForNotification();
  log().Unwatch();

  EXPECT_THAT(ids, ElementsAre("d-1"));
}

TEST_P(EventLogContract, WatcherHearsNothingAfterUnwatch) {
  std::atomic<int> calls{0};
  log().Watch([&](uint64_t) { ++calls; });
  Append("d-1");
  log().Unwatch();
  const int before = calls;

  Append("d-2");

  EXPECT_EQ(calls, before);
}

TEST_P(EventLogContract, UnwatchWaitsForARunningWatcher) {
  absl::Notification running;
  absl::Notification go_on;
  std::atomic<bool> finished{false};
  log().Watch([&](uint64_t) {
    running.Notify();
    go_on.WaitForNotification();
    finished = true;
  });
  log().Append(EventOf("d-1"), [](absl::StatusOr<Appended>) {});
  running.WaitForNotification();
  std::thread release([&] { go_on.Notify(); });

  log().Unwatch();

  EXPECT_TRUE(finished);
  release.join();
}

TEST_P(EventLogContract, ManyThreadsAppendAtOnceAndEachKeepsItsOrder) {
  constexpr int kThreads = 8;
  constexpr int kEvents = 200;
  absl::BlockingCounter open(kThreads * kEvents);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < kThreads; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < kEvents; ++i) {
        NewEvent event = EventOf(absl::StrCat(thread, "-", i));
        event.session_id = absl::StrCat(thread);
        event.message_id = absl::StrCat(i);
        log().Append(std::move(event), [&](absl::StatusOr<Appended> appended) {
          EXPECT_TRUE(appended.ok()) << appended.status();
          open.DecrementCount();
        });
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  open.Wait();

  absl::StatusOr<EventPage> page = log().Read(0, {.max_events = 10'000});

  ASSERT_TRUE(page.ok()) << page.status();
  ASSERT_EQ(page->events.size(), static_cast<size_t>(kThreads * kEvents));
  std::map<std::string, int> next;
  for (const LoggedEvent& event : page->events) {
    EXPECT_EQ(event.attributes.message_id, absl::StrCat(next[std::string(event.attributes.session_id)]++));
  }
}

TEST_P(EventLogContract, ReadersSeeAGrowingPrefixWhileAppendsGoOn) {
  constexpr int kEvents = 2000;
  std::atomic<bool> ended{false};
  std::thread reader([&] {
    uint64_t last = 0;
    while (!ended) {
      const uint64_t head = log().Info().head;
      const std::vector<uint64_t> sequences = ReadSequences(last, {.max_events = 64});
      uint64_t previous = last;
      for (const uint64_t sequence : sequences) {
        EXPECT_GT(sequence, previous);
        previous = sequence;
      }
      EXPECT_GE(previous, head);
      last = previous;
    }
  });
  std::vector<NewEvent> events;
  for (int i = 0; i < kEvents; ++i) events.push_back(EventOf(absl::StrCat("d-", i)));

  AppendAllNow(log(), std::move(events));
  ended = true;
  reader.join();

  EXPECT_EQ(ReadSequences(0).size(), static_cast<size_t>(kEvents));
}

TEST_P(EventLogContract, AppendsUnderWayAreAnsweredWhenTheStoreCloses) {
  constexpr int kEvents = 300;
  std::atomic<int> stored{0};
  std::atomic<int> answered{0};
  for (int i = 0; i < kEvents; ++i) {
    log().Append(EventOf(absl::StrCat("d-", i)), [&](absl::StatusOr<Appended> appended) {
      if (appended.ok()) ++stored;
      ++answered;
    });
  }

  engine_->Reopen();

  EXPECT_EQ(answered, kEvents);
  EXPECT_EQ(ReadDeliveryIds().size(), static_cast<size_t>(stored));
}

}  // namespace aulm::gateway
