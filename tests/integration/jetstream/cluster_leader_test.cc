// A store on three servers whose stream's leader is not what it should be: one that takes an event for stored by
// halves, or none at all.
#include <gmock/gmock.h>

#include <atomic>
#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/str_format.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/state_subject.h"
#include "service/storage/jetstream/stored_event.h"
#include "tests/integration/jetstream/store_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;

constexpr absl::Duration kPatience = absl::Minutes(1);
constexpr char kStream[] = "aulm-events";

// A connection to one server of a cluster alone.
class Client {
 public:
  Client(const NatsServer& server, Clock& clock, Random& random) {
    NatsServers servers;
    servers.urls = {absl::StrCat("nats://", server.address())};
    auto connection = NatsConnection::Connect(servers, kPatience, random,
                                              {[] {}, [](const std::string&) {}, [](const absl::Status&) {}});
    EXPECT_TRUE(connection.ok()) << connection.status();
    connection_ = *std::move(connection);
    requests_ = *NatsRequests::Create(*connection_, clock);
    api_ = std::make_unique<JetStreamApi>(*requests_);
  }

  JetStreamApi& api() { return *api_; }

  absl::StatusOr<PublishAck> Publish(const NewEvent& event) {
    return ParsePublishAck(requests_->SendNow(EventSubject("aulm", event), {{"Nats-Msg-Id", EventMessageId(event)}},
                                              EncodeStoredEvent(event), absl::Seconds(1)));
  }

  // A write of the key's state, as a store makes it under a message id.
  absl::StatusOr<PublishAck> Write(const std::string& key, const std::string& message_id, uint64_t expected) {
    return ParsePublishAck(requests_->SendNow(
        absl::StrCat("$KV.aulm-state-requests.", StateSubjectOfKey(key)),
        {{"Nats-Msg-Id", message_id}, {"Nats-Expected-Last-Subject-Sequence", absl::StrCat(expected)}}, "2",
        absl::Seconds(1)));
  }

  // Whether it answers, right or wrong.
  bool DescribesTheLog() {
    const auto answer = requests_->SendNow(absl::StrCat("$JS.API.STREAM.INFO.", kStream), {}, "", absl::Seconds(1));
    return answer.ok() && absl::StrContains(answer->data(), "\"state\"");
  }

  // Of the three, which leads the log's stream.
  int Leader() {
    const auto info = api_->CallNow(absl::StrCat("STREAM.INFO.", kStream), {}, kPatience);
    EXPECT_TRUE(info.ok()) << info.status();
    if (!info.ok()) return 0;
    const boost::json::string& name = info->at("cluster").as_object().at("leader").as_string();
    return name.back() - '0';  // nats-<index>
  }

 private:
  std::unique_ptr<NatsConnection> connection_;
  std::unique_ptr<NatsRequests> requests_;
  std::unique_ptr<JetStreamApi> api_;
};

class ClusterLeaderTest : public NatsStoreTest {
 protected:
  // Debian 12's server is not up to being cut off: copies of its streams drift apart. ./dev test brings a newer one.
  void SetUp() override {
    if (std::getenv("AULM_GATEWAY_NATS_CLUSTER") == nullptr) GTEST_SKIP() << "wants AULM_GATEWAY_NATS_CLUSTER";
    auto cluster = NatsCluster::Start(folder_.path());
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    options_.url = cluster_->url();
    options_.on_health = [this](const absl::Status& health) {
      absl::MutexLock lock(&mutex_);
      health_ = health;
    };
    options_.on_fatal = [this](const absl::Status& fatal) {
      absl::MutexLock lock(&mutex_);
      fatal_ = fatal;
    };
  }

  // Servers that have just started still elect their leaders, and do not know all of each other.
  Store OpenOrDie() { return OpenOrDie(random_); }
  Store OpenOrDie(Random& random) {
    absl::StatusOr<Store> store;
    do {
      registries_.push_back(std::make_unique<prometheus::Registry>());
      store = OpenStore(options_, clock_, random, *registries_.back());
    } while (absl::StrContains(store.status().message(), "no suitable peers"));
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : Store();
  }

  Client ClientOf(int server) { return Client(cluster_->server(server), clock_, random_); }

  static void AppendUntilStored(EventLog& log, const std::string& id) {
    absl::StatusOr<Appended> appended;
    do {
      appended = AppendNow(log, EventOf(id));
    } while (absl::IsUnavailable(appended.status()));
    ASSERT_TRUE(appended.ok()) << appended.status();
  }

  absl::Status AwaitHealth(bool ok) {
    absl::MutexLock lock(&mutex_);
    const auto is = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return health_.ok() == ok; };
    mutex_.Await(absl::Condition(&is));
    return health_;
  }

  absl::Status fatal() {
    absl::MutexLock lock(&mutex_);
    return fatal_;
  }

  std::unique_ptr<NatsCluster> cluster_;
  absl::Mutex mutex_;
  absl::Status health_ ABSL_GUARDED_BY(mutex_);
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);
};

// A leader is cut off while it stores an event, loses the lead and the event, and leads again: servers up to 2.10 then
// call the event a duplicate for two hours, though it was never stored.
TEST_F(ClusterLeaderTest, EventThatALeaderLostAndTakesForADuplicateIsStoredByAnother) {
  {
    const Store store = OpenOrDie();
  }
  const int first = ClientOf(0).Leader();
  const int other = (first + 1) % 3;
  cluster_->CutOff(first);
  {
    Client client = ClientOf(first);
    while (!IsInProcess(client.Publish(EventOf("lost")).status())) {
    }
  }
  Client client = ClientOf(other);
  while (!client.Publish(EventOf("meanwhile")).ok()) {
  }
  cluster_->Heal(first);
  while (client.Leader() != first) {
    client.api().CallNow(absl::StrCat("STREAM.LEADER.STEPDOWN.", kStream), {}, absl::Seconds(2)).IgnoreError();
  }

  const Store store = OpenOrDie();
  absl::StatusOr<Appended> appended;
  // As aulm repeats a delivery, while others come.
  for (int i = 0; i < 5 && !appended.ok(); ++i) {
    appended = AppendNow(*store.log, EventOf("lost"));
    ASSERT_NO_FATAL_FAILURE(AppendUntilStored(*store.log, "other"));
  }

  ASSERT_TRUE(appended.ok()) << appended.status();
  EXPECT_THAT(IdsOf(*store.log), UnorderedElementsAre("meanwhile", "lost", "other"));
}

// Chance whose ids can be told beforehand.
class CountedIds final : public Random {
 public:
  double Uniform() override { return 0.5; }
  std::string Uuid() override { return IdOf(++last_); }
  std::string Next() const { return IdOf(last_ + 1); }

 private:
  static std::string IdOf(int number) { return absl::StrFormat("id-%08d", number); }
  std::atomic<int> last_{0};
};

// Servers up to 2.10 compare the last sequence before they look for the message id.
TEST_F(ClusterLeaderTest, WriteWhoseAnswerWasLostIsNotRefusedForItsOwnSakeWhenItIsRepeated) {
  CountedIds random;
  const Store store = OpenOrDie(random);
  absl::StatusOr<uint64_t> first;
  do {
    first = WriteNow(*store.state, {"requests", "order-1", "1", std::nullopt});
  } while (absl::IsUnavailable(first.status()));
  ASSERT_TRUE(first.ok()) << first.status();
  // What the store then writes, made before it has heard of that.
  const absl::StatusOr<PublishAck> made = ClientOf(0).Write("order-1", random.Next(), *first);
  ASSERT_TRUE(made.ok()) << made.status();

  const absl::StatusOr<uint64_t> repeated = WriteNow(*store.state, {"requests", "order-1", "2", *first});

  ASSERT_TRUE(repeated.ok()) << repeated.status();
  EXPECT_EQ(*repeated, made->sequence);
}

// Servers of 2.11 note the message id of what they then refuse, and call it in process.
TEST_F(ClusterLeaderTest, WriteThatWasRefusedIsMadeUponWhatStandsThere) {
  const Store one = OpenOrDie();
  const Store other = OpenOrDie();
  absl::StatusOr<uint64_t> made;
  do {
    made = WriteNow(*one.state, {"requests", "order-1", "1", std::nullopt});
  } while (absl::IsUnavailable(made.status()));
  ASSERT_TRUE(made.ok()) << made.status();
  ASSERT_TRUE(WriteNow(*one.state, {"requests", "order-1", std::nullopt, *made}).ok());

  // It knows nothing of the key, and so nothing of the marker that is to be replaced.
  made = WriteNow(*other.state, {"requests", "order-1", "2", /*expected_revision=*/0});

  ASSERT_TRUE(made.ok()) << made.status();
  EXPECT_EQ((*GetNow(*one.state, "requests", "order-1"))->value, "2");
}

TEST_F(ClusterLeaderTest, BucketThatNobodyLeadsKeepsNoOtherFromBeingWritten) {
  const Store store = OpenOrDie();
  for (const char* const bucket : {"paces", "requests"}) {
    absl::StatusOr<uint64_t> made;
    do {
      made = WriteNow(*store.state, {bucket, "k", "1", std::nullopt});
    } while (absl::IsUnavailable(made.status()));
    ASSERT_TRUE(made.ok()) << made.status();
  }
  ASSERT_TRUE(ClientOf(0).api().CallNow("STREAM.DELETE.KV_aulm-state-requests", {}, kPatience).ok());

  std::vector<StateWrite> writes;
  writes.reserve(200);
  for (int i = 0; i < 200; ++i) writes.push_back({"paces", absl::StrCat("k-", i), "1", std::nullopt});
  for (int round = 0; round < 20; ++round) {
    // Tried again and again all the while.
    store.state->Write({{"requests", absl::StrCat("k-", round), "1", std::nullopt}}, StateStore::Durability::kDurable,
                       nullptr);
    for (const absl::StatusOr<uint64_t>& written : WriteAllNow(*store.state, writes)) {
      ASSERT_TRUE(written.ok()) << written.status();
    }
  }
}

// A server that was cut off from two others is all that is left: it has not heard of what they stored, and says so.
TEST_F(ClusterLeaderTest, CopyThatIsBehindAndHasNoLeaderDoesNotEndTheGateway) {
  const Store store = OpenOrDie();
  ASSERT_NO_FATAL_FAILURE(AppendUntilStored(*store.log, "old"));
  const int leader = ClientOf(0).Leader();
  const int behind = (leader + 1) % 3;
  const int other = (leader + 2) % 3;
  cluster_->CutOff(behind);
  for (const char* id : {"new", "newer"}) ASSERT_NO_FATAL_FAILURE(AppendUntilStored(*store.log, id));
  cluster_->server(leader).Kill();
  cluster_->server(other).Kill();
  Client client = ClientOf(behind);
  while (!client.DescribesTheLog()) {
  }

  clock_.Advance(absl::Minutes(1));
  absl::Status down;
  do {
    down = AwaitHealth(/*ok=*/false);
  } while (fatal().ok() && !absl::StrContains(down.message(), "no leader"));
  ASSERT_TRUE(cluster_->server(leader).Restart().ok());
  ASSERT_TRUE(cluster_->server(other).Restart().ok());
  cluster_->Heal(behind);

  ASSERT_TRUE(fatal().ok()) << fatal();
  ASSERT_TRUE(AwaitHealth(/*ok=*/true).ok());
  ASSERT_NO_FATAL_FAILURE(AppendUntilStored(*store.log, "newest"));
  EXPECT_THAT(IdsOf(*store.log), ElementsAre("old", "new", "newer", "newest"));
}

}  // namespace
}  // namespace aulm::gateway
