// docs/backup.md for a store on NATS: what `nats account backup` and `nats account restore` do, through the same API of
// the server, and what the gateway's store makes of it.
#include <gmock/gmock.h>

#include <map>

#include "absl/synchronization/mutex.h"
#include "boost/json/array.hpp"
#include "service/storage/jetstream/jetstream_api.h"
#include "tests/integration/jetstream/store_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsSupersetOf;

// The backup of one stream.
struct StreamBackup {
  boost::json::value config, state;
  std::vector<std::string> chunks;
};

class NatsBackupTest : public NatsStoreTest {
 protected:
  void SetUp() override {
    StartServer();
    NatsServers servers;
    servers.urls = {options_.url};
    auto connection = NatsConnection::Connect(servers, absl::Seconds(10), random_,
                                              {[] {}, [](const std::string&) {}, [](const absl::Status&) {}});
    ASSERT_TRUE(connection.ok()) << connection.status();
    connection_ = *std::move(connection);
    auto requests = NatsRequests::Create(*connection_, clock_);
    ASSERT_TRUE(requests.ok()) << requests.status();
    requests_ = *std::move(requests);
  }

  boost::json::object Ask(const std::string& verb, const boost::json::object& question = {}) {
    auto answer = JetStreamApi(*requests_).CallNow(verb, question, absl::Seconds(20));
    EXPECT_TRUE(answer.ok()) << verb << ": " << answer.status();
    return answer.ok() ? *std::move(answer) : boost::json::object();
  }

  std::vector<std::string> StreamNames() {
    std::vector<std::string> names;
    const boost::json::object answer = Ask("STREAM.NAMES");
    for (const boost::json::value& name : answer.at("streams").as_array()) {
      names.emplace_back(name.as_string());
    }
    return names;
  }

  StreamBackup BackUp(const std::string& stream) {
    StreamBackup backup;
    absl::Mutex mutex;
    bool complete = false;
    const std::string inbox = NatsConnection::NewInbox();
    auto chunks = connection_->Subscribe(inbox, [&](const NatsMessage& message) {
      absl::MutexLock lock(&mutex);
      if (message.data().empty()) {
        complete = true;
        return;
      }
      backup.chunks.emplace_back(message.data());
      if (!message.reply().empty()) connection_->Publish(std::string(message.reply()), "", {}, "").IgnoreError();
    });
    EXPECT_TRUE(chunks.ok()) << chunks.status();
    const boost::json::object answer =
        Ask(absl::StrCat("STREAM.SNAPSHOT.", stream), {{"deliver_subject", inbox}, {"chunk_size", 65536}});
    backup.config = answer.at("config");
    backup.state = answer.at("state");
    absl::MutexLock lock(&mutex);
    mutex.Await(absl::Condition(&complete));
    return backup;
  }

  void Restore(const std::string& stream, const StreamBackup& backup) {
    const boost::json::object answer =
        Ask(absl::StrCat("STREAM.RESTORE.", stream), {{"config", backup.config}, {"state", backup.state}});
    const std::string subject(answer.at("deliver_subject").as_string());
    for (const std::string& chunk : backup.chunks) {
      ASSERT_TRUE(requests_->SendNow(subject, {}, chunk, absl::Seconds(20)).ok());
    }
    ASSERT_TRUE(requests_->SendNow(subject, {}, "", absl::Seconds(20)).ok());
  }

  std::unique_ptr<NatsConnection> connection_;
  std::unique_ptr<NatsRequests> requests_;
};

TEST_F(NatsBackupTest, RestoredStreamsServeWhatTheyHadUnderTheSameCursors) {
  std::map<std::string, StreamBackup> backups;
  LogInfo before, after;
  {
    absl::StatusOr<Store> store = Open(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    for (const char* id : {"d-1", "d-2", "d-3"}) ASSERT_TRUE(AppendNow(*store->log, EventOf(id)).ok());
    ASSERT_TRUE(WriteNow(*store->state, {"requests", "order-1", "sent", std::nullopt}).ok());
    // While it works.
    for (const std::string& stream : StreamNames()) backups[stream] = BackUp(stream);
    before = store->log->Info();
    for (const char* id : {"d-4", "d-5"}) ASSERT_TRUE(AppendNow(*store->log, EventOf(id)).ok());
    after = store->log->Info();
  }
  EXPECT_THAT(StreamNames(), IsSupersetOf({"aulm-events", "KV_aulm-deliveries", "KV_aulm-state-requests"}));

  for (const std::string& stream : StreamNames()) Ask("STREAM.DELETE." + stream);
  for (const auto& [stream, backup] : backups) Restore(stream, backup);
  ASSERT_FALSE(HasFatalFailure());
  absl::StatusOr<Store> store = Open(options_);
  ASSERT_TRUE(store.ok()) << store.status();

  EXPECT_EQ(store->log->Info().epoch, before.epoch) << "cursors of before the backup go on";
  EXPECT_EQ(store->log->Info().head, before.head);
  EXPECT_LT(store->log->Info().head, after.head) << "and those of after it are known to be of lost events";
  EXPECT_TRUE(store->full_check().ok());
  EXPECT_THAT(IdsOf(*store->log), ElementsAre("d-1", "d-2", "d-3"));
  EXPECT_TRUE(AppendNow(*store->log, EventOf("d-2"))->duplicate);
  EXPECT_FALSE(AppendNow(*store->log, EventOf("d-4"))->duplicate);
  EXPECT_EQ((*GetNow(*store->state, "requests", "order-1"))->value, "sent");
}

}  // namespace
}  // namespace aulm::gateway
