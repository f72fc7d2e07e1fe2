// The parts of a store on NATS that are nobody's seam: questions between replicas, the sweep of the state, the check of
// the whole log, and what a backup of the server's files brings back.
#include <gmock/gmock.h>

#include <csignal>
#include <filesystem>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "service/base/system_clock.h"
#include "service/storage/jetstream/append_pipeline.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "tests/integration/jetstream/store_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class StorePartsTest : public NatsStoreTest {
 protected:
  void SetUp() override { StartServer(); }

  Store OpenOrDie() {
    absl::StatusOr<Store> store = Open(options_);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : Store();
  }

  // On a connection of its own.
  boost::json::object AskApi(const std::string& verb, const boost::json::object& question = {}) {
    NatsServers servers;
    servers.urls = {options_.url};
    auto connection = NatsConnection::Connect(servers, absl::Seconds(10), random_,
                                              {[] {}, [](const std::string&) {}, [](const absl::Status&) {}});
    auto requests = NatsRequests::Create(**connection, clock_);
    auto answer = JetStreamApi(**requests).CallNow(verb, question, absl::Seconds(10));
    EXPECT_TRUE(answer.ok()) << verb << ": " << answer.status();
    return answer.ok() ? *std::move(answer) : boost::json::object();
  }

  static absl::StatusOr<std::string> AskNow(PeerChannel& channel, absl::string_view peer, std::string question,
                                            absl::Duration timeout = absl::Seconds(10)) {
    absl::StatusOr<std::string> result;
    absl::Notification done;
    channel.Ask(peer, std::move(question), timeout, [&](absl::StatusOr<std::string> answer) {
      result = std::move(answer);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

  // The server hears of who listens a moment later.
  static void AwaitListening(PeerChannel& channel, absl::string_view peer) {
    while (absl::IsNotFound(AskNow(channel, peer, "?", absl::Milliseconds(100)).status())) {
    }
  }
};

// As servers describe a stream with three copies: when its leader last heard from the two others.
StreamInfo InfoOf(absl::Duration one, absl::Duration other) {
  const auto copy = [](absl::Duration silent) {
    return boost::json::object{{"name", "nats"}, {"active", absl::ToInt64Nanoseconds(silent)}};
  };
  return ParseStreamInfo({{"cluster", {{"leader", "nats-0"}, {"replicas", {copy(one), copy(other)}}}}});
}

TEST(StreamInfoTest, LeaderThatHearsFromNoOtherCopyIsOutOfTouch) {
  EXPECT_TRUE(ParseStreamInfo({}).in_touch);  // one copy
  EXPECT_TRUE(InfoOf(absl::Milliseconds(300), absl::Milliseconds(800)).in_touch);
  EXPECT_TRUE(InfoOf(absl::Milliseconds(300), absl::Minutes(3)).in_touch);
  EXPECT_FALSE(InfoOf(absl::Seconds(6), absl::Minutes(3)).in_touch);
}

TEST_F(StorePartsTest, PeerAnswersWithWordsOrWithAnError) {
  Store one = OpenOrDie();
  Store other = OpenOrDie();
  other.peers->Answer([](const std::string& question, PeerChannel::AskCallback answer) {
    if (question == "bad") return std::move(answer)(absl::AbortedError("not so"));
    std::move(answer)(absl::StrCat("you said ", question));
  });

  EXPECT_NE(one.peers->Self(), other.peers->Self());
  EXPECT_FALSE(one.peers->Alone());
  AwaitListening(*one.peers, other.peers->Self());
  EXPECT_EQ(AskNow(*one.peers, other.peers->Self(), "hello").value_or(""), "you said hello");
  EXPECT_EQ(AskNow(*one.peers, other.peers->Self(), "bad").status(), absl::AbortedError("not so"));
}

TEST_F(StorePartsTest, AnswerMayComeLaterAndFromAnotherThread) {
  Store one = OpenOrDie();
  Store other = OpenOrDie();
  absl::Mutex mutex;
  std::vector<std::thread> answering;
  other.peers->Answer([&](std::string question, PeerChannel::AskCallback answer) {
    absl::MutexLock lock(&mutex);
    answering.emplace_back([question = std::move(question), answer = std::move(answer)]() mutable {
      std::move(answer)(std::string(60'000, question.front()));
    });
  });

  AwaitListening(*one.peers, other.peers->Self());
  const absl::StatusOr<std::string> answer = AskNow(*one.peers, other.peers->Self(), "x");

  {
    absl::MutexLock lock(&mutex);
    for (std::thread& thread : answering) thread.join();
  }
  ASSERT_TRUE(answer.ok()) << answer.status();
  EXPECT_EQ(*answer, std::string(60'000, 'x'));
}

TEST_F(StorePartsTest, PeerThatHasGoneIsNotFoundAndOneThatIsSilentIsWaitedForWithinBounds) {
  Store one = OpenOrDie();
  std::string gone;
  std::vector<PeerChannel::AskCallback> held;
  {
    Store other = OpenOrDie();
    gone = std::string(other.peers->Self());
    other.peers->Answer(
        [&](const std::string&, PeerChannel::AskCallback answer) { held.push_back(std::move(answer)); });
    AwaitListening(*one.peers, gone);
    EXPECT_TRUE(absl::IsDeadlineExceeded(AskNow(*one.peers, gone, "x", absl::Milliseconds(100)).status()));
  }

  EXPECT_TRUE(absl::IsNotFound(AskNow(*one.peers, gone, "x").status()));
  EXPECT_TRUE(absl::IsNotFound(AskNow(*one.peers, "", "x").status()));
  EXPECT_TRUE(absl::IsNotFound(AskNow(*one.peers, "*", "x").status())) << "no wildcard";
  EXPECT_TRUE(absl::IsInvalidArgument(AskNow(*one.peers, gone, std::string(70'000, 'x')).status()));
  // An answer that comes too late finds nobody.
  for (PeerChannel::AskCallback& answer : held) std::move(answer)(std::string("late"));
}

// What a replica hears of the others.
class Hearing {
 public:
  explicit Hearing(PeerChannel& channel) {
    channel.Listen({[this](absl::string_view news) {
                      absl::MutexLock lock(&mutex_);
                      news_.emplace_back(news);
                    },
                    [this](bool hears) {
                      absl::MutexLock lock(&mutex_);
                      hears_.push_back(hears);
                    }});
  }

  std::vector<std::string> AwaitNews(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return news_.size() >= count; };
    mutex_.Await(absl::Condition(&there));
    return news_;
  }
  std::vector<bool> AwaitHears(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this, count]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return hears_.size() >= count; };
    mutex_.Await(absl::Condition(&there));
    return hears_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> news_ ABSL_GUARDED_BY(mutex_);
  std::vector<bool> hears_ ABSL_GUARDED_BY(mutex_);
};

TEST_F(StorePartsTest, NewsReachesEveryOtherReplicaAndNotItsTeller) {
  Store one = OpenOrDie();
  Store other = OpenOrDie();
  Store third = OpenOrDie();
  Hearing hearing(*one.peers);
  Hearing others(*other.peers);
  Hearing thirds(*third.peers);
  for (Store* const store : {&one, &other, &third}) {  // the server knows who listens
    ASSERT_TRUE(AppendNow(*store->log, EventOf(std::string(store->peers->Self()))).ok());
  }

  one.peers->Tell("of one");
  EXPECT_THAT(others.AwaitNews(1), ElementsAre("of one"));
  EXPECT_THAT(thirds.AwaitNews(1), ElementsAre("of one"));
  other.peers->Tell("of other");

  EXPECT_THAT(hearing.AwaitNews(1), ElementsAre("of other")) << "its own came before";
  for (Store* const store : {&one, &other, &third}) store->engine.reset();
}

TEST_F(StorePartsTest, WhoListensIsToldThatNewsMayHaveBeenLost) {
  Store one = OpenOrDie();
  Store other = OpenOrDie();
  Hearing hearing(*one.peers);
  EXPECT_THAT(hearing.AwaitHears(1), ElementsAre(true));

  nats_->Kill();
  EXPECT_THAT(hearing.AwaitHears(2), ElementsAre(true, false));
  ASSERT_TRUE(nats_->Restart().ok());
  EXPECT_THAT(hearing.AwaitHears(3), ElementsAre(true, false, true));

  while (!AppendNow(*one.log, EventOf("d-1")).ok()) {
  }
  while (!AppendNow(*other.log, EventOf("d-2")).ok()) {
  }
  other.peers->Tell("again");
  EXPECT_THAT(hearing.AwaitNews(1), ElementsAre("again"));
  one.engine.reset();
}

TEST_F(StorePartsTest, LeaderThatTakesMoreForStoredByHalvesThanIsKeptInMindIsReplacedAllTheSame) {
  NatsServers servers;
  servers.urls = {options_.url};
  std::vector<std::unique_ptr<NatsConnection>> connections;
  for (int i = 0; i < 2; ++i) {
    auto made = NatsConnection::Connect(servers, absl::Seconds(10), random_,
                                        {[] {}, [](const std::string&) {}, [](const absl::Status&) {}});
    ASSERT_TRUE(made.ok()) << made.status();
    connections.push_back(*std::move(made));
  }
  const auto leader = connections[0]->Subscribe("aulm.events.>", [&](const NatsMessage& message) {
    connections[0]
        ->Publish(std::string(message.reply()), "", {}, R"({"stream": "aulm-events", "seq": 0, "duplicate": true})")
        .IgnoreError();
  });
  ASSERT_TRUE(leader.ok()) << leader.status();
  AppendPipeline::Options options;
  options.prefix = "aulm";
  options.duplicate_window = absl::Hours(2);
  options.max_appends = 10'000;
  options.max_bytes = 64 << 20;
  options.limit = absl::Seconds(20);
  prometheus::Registry registry;
  StorageMetrics metrics(registry);
  uint64_t head = 1;  // of the loop, as what comes next
  bool replaced = false;
  AppendPipeline pipeline(
      options, *connections[1], clock_, random_, metrics, [&] { return head; }, [] { return 1; },
      [&] { replaced = true; });
  ASSERT_TRUE(pipeline.Start().ok());
  for (int i = 0; i < 1500; ++i) {
    NewEvent event = EventOf(absl::StrCat("d-", i));
    event.not_before = clock_.Now();
    pipeline.Append(event, [](const absl::StatusOr<Appended>&) {});
  }

  NatsLoop& loop = connections[1]->loop();
  bool over = false;
  while (!over) {  // others store events meanwhile
    loop.Post([&] {
      ++head;
      pipeline.Tick();
      over = replaced || pipeline.open() == 0;
    });
    loop.Flush();
  }

  EXPECT_TRUE(replaced);
  loop.Post([&] { pipeline.Stop(); });
  loop.Flush();
}

// As the gateway stops: nothing fires any more.
TEST_F(StorePartsTest, EndsWithoutItsServerAndAfterItsClockThoughSomethingIsUnderWay) {
  SystemClock clock;
  prometheus::Registry registry;
  absl::StatusOr<Store> store = OpenStore(options_, clock, random_, registry);
  ASSERT_TRUE(store.ok()) << store.status();
  ASSERT_TRUE(WriteNow(*store->state, {"requests", "k", "1", std::nullopt}).ok());
  nats_->Kill();
  absl::Status appended;
  std::vector<absl::StatusOr<uint64_t>> written;
  store->log->Append(EventOf("d-1"), [&](const absl::StatusOr<Appended>& result) { appended = result.status(); });
  store->state->Write({{"requests", "k", "2", std::nullopt}}, StateStore::Durability::kDurable,
                      [&](std::vector<absl::StatusOr<uint64_t>> results) { written = std::move(results); });

  clock.Stop();
  store->engine.reset();

  EXPECT_TRUE(absl::IsUnavailable(appended)) << appended;
  ASSERT_EQ(written.size(), 1u);
  EXPECT_TRUE(absl::IsUnavailable(written[0].status())) << written[0].status();
}

TEST_F(StorePartsTest, SweepRemovesWhatIsOverAndNothingElse) {
  Store store = OpenOrDie();
  const absl::Time soon = clock_.Now() + absl::Seconds(30);
  ASSERT_TRUE(WriteNow(*store.state, {"requests", "stays", "1", std::nullopt}).ok());
  ASSERT_TRUE(WriteNow(*store.state, {"requests", "later", "2", std::nullopt, clock_.Now() + absl::Hours(2)}).ok());
  ASSERT_TRUE(WriteNow(*store.state, {"requests", "over", "3", std::nullopt, soon}).ok());
  ASSERT_TRUE(WriteNow(*store.state, {"requests", "deleted", "4", std::nullopt}).ok());
  ASSERT_TRUE(WriteNow(*store.state, {"requests", "deleted", std::nullopt, std::nullopt}).ok());
  const auto messages = [this] {
    return AskApi("STREAM.INFO.KV_aulm-state-requests").at("state").at("messages").to_number<int>();
  };
  ASSERT_EQ(messages(), 4);

  clock_.Advance(absl::Minutes(11));
  while (messages() > 2) {
  }

  const auto left = ListNow(*store.state, "requests", "", "", 10);
  ASSERT_TRUE(left.ok()) << left.status();
  ASSERT_EQ(left->size(), 2u);
  EXPECT_EQ(left->at(0).key, "later");
  EXPECT_EQ(left->at(1).key, "stays");
  // What was written again after it was over is another message.
  ASSERT_TRUE(WriteNow(*store.state, {"requests", "over", "5", /*expected_revision=*/0}).ok());
}

TEST_F(StorePartsTest, FullCheckReadsTheWholeLogAndFindsWhatIsMissing) {
  Store store = OpenOrDie();
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(AppendNow(*store.log, EventOf(absl::StrCat("d-", i))).ok());
  EXPECT_TRUE(store.full_check().ok());

  // Somebody else's message among ours.
  NatsServers servers;
  servers.urls = {options_.url};
  auto connection = NatsConnection::Connect(servers, absl::Seconds(10), random_,
                                            {[] {}, [](const std::string&) {}, [](const absl::Status&) {}});
  ASSERT_TRUE(connection.ok()) << connection.status();
  auto requests = NatsRequests::Create(**connection, clock_);
  ASSERT_TRUE(requests.ok()) << requests.status();
  ASSERT_TRUE((*requests)->SendNow("aulm.events.x.y.z", {}, "?", absl::Seconds(10)).ok());
  ASSERT_TRUE(AppendNow(*store.log, EventOf("d-5")).ok());

  const absl::Status check = store.full_check();

  EXPECT_TRUE(absl::IsDataLoss(check));
  EXPECT_THAT(std::string(check.message()), HasSubstr("before 7"));
}

TEST_F(StorePartsTest, CopyOfTheServersFilesBringsBackWhatItHadAndRefusesNothingOfIt) {
  const std::string streams = absl::StrCat(folder_.path(), "/nats");
  const std::string backup = absl::StrCat(folder_.path(), "/backup");
  LogInfo before;
  {
    Store store = OpenOrDie();
    for (const char* id : {"d-1", "d-2", "d-3"}) ASSERT_TRUE(AppendNow(*store.log, EventOf(id)).ok());
    ASSERT_TRUE(WriteNow(*store.state, {"requests", "order-1", "sent", std::nullopt}).ok());
    before = store.log->Info();
    // All files at one moment, as a snapshot of the volume is.
    nats_->Signal(SIGSTOP);
    std::filesystem::copy(streams, backup, std::filesystem::copy_options::recursive);
    nats_->Signal(SIGCONT);
    while (!AppendNow(*store.log, EventOf("d-4")).ok()) {
    }
  }

  nats_->Kill();
  std::filesystem::remove_all(streams);
  std::filesystem::copy(backup, streams, std::filesystem::copy_options::recursive);
  ASSERT_TRUE(nats_->Restart().ok());
  Store store = OpenOrDie();

  EXPECT_EQ(store.log->Info().epoch, before.epoch) << "cursors of before the backup go on";
  EXPECT_EQ(store.log->Info().head, before.head);
  EXPECT_TRUE(store.full_check().ok());
  EXPECT_THAT(IdsOf(*store.log), ElementsAre("d-1", "d-2", "d-3"));
  EXPECT_TRUE(AppendNow(*store.log, EventOf("d-2"))->duplicate);
  EXPECT_FALSE(AppendNow(*store.log, EventOf("d-4"))->duplicate);
  EXPECT_EQ((*GetNow(*store.state, "requests", "order-1"))->value, "sent");
}

}  // namespace
}  // namespace aulm::gateway
