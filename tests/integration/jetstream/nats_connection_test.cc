// A connection to NATS that breaks: whatever was under way on it is gone, and nothing of it turns up on the next one.
#include "service/storage/jetstream/nats_connection.h"

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "service/base/system_random.h"
#include "tests/support/nats_server.h"
#include "tests/support/tcp_proxy.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;

// What came on a subject, in its order. Thread-safe.
class Inbox {
 public:
  void Take(const NatsMessage& message) {
    absl::MutexLock lock(&mutex_);
    messages_.emplace_back(message.data());
  }
  std::vector<std::string> Await(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto all = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return messages_.size() >= count; };
    mutex_.Await(absl::Condition(&all));
    return messages_;
  }

 private:
  absl::Mutex mutex_;
  std::vector<std::string> messages_ ABSL_GUARDED_BY(mutex_);
};

class NatsConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    auto server = NatsServer::Start({.folder = folder_.path()});
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    const std::string& address = server_->address();
    proxy_ = std::make_unique<TcpProxy>(std::stoi(address.substr(address.rfind(':') + 1)));
  }

  std::unique_ptr<NatsConnection> Connect(const std::string& address, NatsConnection::Listeners listeners) {
    NatsServers servers;
    servers.urls = {absl::StrCat("nats://", address)};
    auto connection = NatsConnection::Connect(servers, absl::Seconds(10), random_, std::move(listeners));
    EXPECT_TRUE(connection.ok()) << connection.status();
    return connection.ok() ? *std::move(connection) : nullptr;
  }

  static NatsConnection::Listeners Nobody() {
    return {[] {}, [](const std::string&) {}, [](const absl::Status&) {}};
  }

  // The server knows what `connection` listens to, and has given it what came before.
  static void Settle(NatsConnection& connection, Inbox& inbox, const std::string& subject, size_t before) {
    ASSERT_TRUE(connection.Publish(subject, "", {}, "settled").ok());
    ASSERT_EQ(inbox.Await(before + 1).back(), "settled");
  }

  TempFolder folder_;
  SystemRandom random_;
  std::unique_ptr<NatsServer> server_;
  std::unique_ptr<TcpProxy> proxy_;
};

TEST_F(NatsConnectionTest, MessageThatWasCutOffIsNotFinishedByTheNextConnection) {
  absl::Notification back;
  NatsConnection::Listeners listeners = Nobody();
  listeners.on_connected = [&back] { back.Notify(); };
  const auto connection = Connect(absl::StrCat("127.0.0.1:", proxy_->port()), std::move(listeners));
  const auto sender = Connect(server_->address(), Nobody());
  ASSERT_TRUE(connection != nullptr && sender != nullptr);
  connection->StartTelling();
  Inbox bulk, single;
  const auto on_loop = connection->SubscribeOnLoop("bulk", {[&](NatsMessage message) { bulk.Take(message); }, [] {}});
  const auto on_thread = connection->Subscribe("single", [&](const NatsMessage& message) { single.Take(message); });
  ASSERT_TRUE(on_loop.ok() && on_thread.ok());
  ASSERT_NO_FATAL_FAILURE(Settle(*connection, bulk, "bulk", 0));
  ASSERT_NO_FATAL_FAILURE(Settle(*connection, single, "single", 0));

  proxy_->BreakAfter(70'000);
  ASSERT_TRUE(sender->Publish("bulk", "", {}, std::string(200'000, 'a')).ok());
  back.WaitForNotification();
  ASSERT_NO_FATAL_FAILURE(Settle(*connection, bulk, "bulk", 1));
  ASSERT_TRUE(sender->Publish("bulk", "", {}, "next").ok());
  ASSERT_TRUE(sender->Publish("single", "", {}, "next").ok());

  EXPECT_THAT(bulk.Await(3), ElementsAre("settled", "settled", "next"));
  EXPECT_THAT(single.Await(2), ElementsAre("settled", "next"));
}

TEST_F(NatsConnectionTest, SubscriptionMadeWhileThereIsNoConnectionIsOfTheNextOne) {
  absl::Notification lost, back;
  NatsConnection::Listeners listeners = Nobody();
  listeners.on_disconnected = [&lost](const std::string&) { lost.Notify(); };
  listeners.on_connected = [&back] { back.Notify(); };
  const auto connection = Connect(server_->address(), std::move(listeners));
  ASSERT_TRUE(connection != nullptr);
  connection->StartTelling();

  server_->Kill();
  lost.WaitForNotification();
  EXPECT_TRUE(absl::IsUnavailable(connection->Publish("bulk", "", {}, "lost")));
  Inbox inbox;
  const auto subscription =
      connection->SubscribeOnLoop("bulk", {[&](NatsMessage message) { inbox.Take(message); }, [] {}});
  ASSERT_TRUE(subscription.ok()) << subscription.status();
  ASSERT_TRUE(server_->Restart().ok());
  back.WaitForNotification();

  Settle(*connection, inbox, "bulk", 0);
}

TEST_F(NatsConnectionTest, EndsWhileItTriesToReconnect) {
  absl::Notification lost;
  NatsConnection::Listeners listeners = Nobody();
  listeners.on_disconnected = [&lost](const std::string&) { lost.Notify(); };
  auto connection = Connect(server_->address(), std::move(listeners));
  ASSERT_TRUE(connection != nullptr);
  connection->StartTelling();

  server_->Kill();
  lost.WaitForNotification();

  connection.reset();
}

}  // namespace
}  // namespace aulm::gateway
