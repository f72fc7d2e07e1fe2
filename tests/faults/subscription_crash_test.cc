// Kills the gateway with SIGKILL while consumers of a SHARED subscription acknowledge, again and again: every event is
// handled, none whose acknowledgement was answered OK comes again, and the order within a conversation holds. With
// either store; and with three gateways on one NATS server, of which two die.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "tests/support/gateway_process.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_folder.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

constexpr int kEvents = 1200;
constexpr int kConversations = 40;
constexpr int kConsumers = 3;
constexpr char kSession[] = "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c";
constexpr char kSecret[] = "whsec_subscription_crash";

int Kills() {
  const char* kills = std::getenv("AULM_GATEWAY_KILLS");
  return kills == nullptr ? 8 : std::atoi(kills);
}

std::string DeliveryId(int number) { return absl::StrFormat("00000000-0000-4000-8000-%012d", number); }
int NumberOf(const std::string& delivery_id) { return std::atoi(delivery_id.substr(24).c_str()); }
std::string PeerOf(int number) { return absl::StrFormat("+96650000%04d", number % kConversations); }

// What the consumers saw in all lives of the gateway.
class History {
 public:
  // An event came: false when it should not have.
  void Came(const std::string& delivery_id) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    EXPECT_FALSE(settled_.contains(delivery_id)) << delivery_id << " was acknowledged, durably";
    const int number = NumberOf(delivery_id);
    // Everything before it in its conversation was handled: at least once it came, and was answered.
    if (number >= kConversations) {
      EXPECT_TRUE(handled_.contains(DeliveryId(number - kConversations))) << number << " overtook its conversation";
    }
  }
  void Handled(const std::string& delivery_id) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    handled_.insert(delivery_id);
  }
  void Settled(const std::string& delivery_id) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    settled_.insert(delivery_id);
  }
  size_t handled() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return handled_.size();
  }
  size_t settled() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return settled_.size();
  }

 private:
  mutable absl::Mutex mutex_;
  std::set<std::string> handled_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> settled_ ABSL_GUARDED_BY(mutex_);
};

// True when nothing is left to be settled. The history cannot tell: an answer that a kill cut off may have been OK.
bool NothingIsLeft(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  v1::GetSubscriptionRequest request;
  request.set_name("bot");
  v1::GetSubscriptionResponse response;
  const auto stub = v1::SubscriptionService::NewStub(channel);
  return stub->GetSubscription(&context, request, &response).ok() && response.subscription().stats().lag_events() == 0;
}

// Consumes until the gateway dies, enough is settled, or nothing is left. Settles over `settling`, which may lead to
// another gateway. True when nothing is left.
bool Consume(const std::shared_ptr<grpc::Channel>& channel, const std::shared_ptr<grpc::Channel>& settling,
             size_t kill_at, History& history) {
  const auto stub = v1::EventService::NewStub(channel);
  const auto settling_stub = v1::EventService::NewStub(settling);
  bool over = false;
  grpc::ClientContext context;
  v1::SubscribeEventsRequest request;
  request.set_subscription("bot");
  request.set_max_outstanding_events(20);
  request.set_max_batch_events(7);
  request.mutable_heartbeat_interval()->set_seconds(1);
  const auto reader = stub->SubscribeEvents(&context, request);
  v1::SubscribeEventsResponse frame;
  while (history.settled() < kill_at && reader->Read(&frame)) {
    // Several gateways know the lag but roughly.
    over = frame.has_heartbeat() && history.handled() == kEvents && NothingIsLeft(channel);
    if (over) break;
    v1::AcknowledgeEventsRequest acknowledge;
    acknowledge.set_subscription("bot");
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
      history.Came(delivery.event().delivery_id());
      history.Handled(delivery.event().delivery_id());
      v1::Settlement& settlement = *acknowledge.add_settlements();
      settlement.set_ack_token(delivery.ack_token());
      settlement.set_action(v1::SETTLEMENT_ACTION_ACK);
    }
    if (acknowledge.settlements_size() == 0) continue;
    const auto settle = [&](v1::EventService::Stub& by, v1::AcknowledgeEventsResponse& answer) {
      grpc::ClientContext acknowledging;
      return by.AcknowledgeEvents(&acknowledging, acknowledge, &answer).ok();
    };
    v1::AcknowledgeEventsResponse answer;
    // The gateway next door may be dead.
    if (!settle(*settling_stub, answer) && !settle(*stub, answer)) continue;
    for (int i = 0; i < answer.results_size(); ++i) {
      // What another gateway was asked about may have moved on meanwhile, and comes again.
      if (settling != channel && answer.results(i).result() != v1::SETTLEMENT_EFFECT_OK) continue;
      EXPECT_EQ(answer.results(i).result(), v1::SETTLEMENT_EFFECT_OK);
      history.Settled(frame.event_batch().deliveries(i).event().delivery_id());
    }
  }
  context.TryCancel();
  reader->Finish();
  return over;
}

std::shared_ptr<grpc::Channel> ChannelTo(const GatewayProcess& gateway) {
  return grpc::CreateChannel(gateway.grpc_address(), grpc::InsecureChannelCredentials());
}

// The subscription "bot", and the events that it is about.
void Prepare(const GatewayProcess& gateway) {
  grpc::ClientContext context;
  v1::CreateSubscriptionRequest request;
  request.mutable_subscription()->set_name("bot");
  request.mutable_subscription()->set_mode(v1::SUBSCRIPTION_MODE_SHARED);
  request.mutable_subscription()->set_position(v1::START_POSITION_EARLIEST);
  request.mutable_subscription()->set_max_attempts(1000);
  v1::CreateSubscriptionResponse response;
  const auto stub = v1::SubscriptionService::NewStub(ChannelTo(gateway));
  ASSERT_TRUE(stub->CreateSubscription(&context, request, &response).ok());
  WebhookClient client(gateway.webhook_address(), kSecret);
  for (int number = 0; number < kEvents; ++number) {
    const std::string id = DeliveryId(number);
    const auto answer = client.Post("inbound_message", id, InboundMessageBody(id, kSession, PeerOf(number), "hi"));
    ASSERT_TRUE(answer.ok() && *answer == 200) << number;
  }
}

enum class Engine { kSqlite, kNats };

class SubscriptionCrashTest : public testing::TestWithParam<Engine> {
 protected:
  void StartNats() {
    auto server = NatsServer::Start({.folder = folder_.path()});
    ASSERT_TRUE(server.ok()) << server.status();
    nats_ = *std::move(server);
  }

  absl::StatusOr<GatewayProcess> StartGateway(int number = 0) {
    GatewayProcess::Options options;
    options.folder = absl::StrCat(folder_.path(), "/gateway-", number);
    std::filesystem::create_directories(options.folder);
    options.webhook_secret = kSecret;
    if (nats_ != nullptr) options.environment["GATEWAY_STORE"] = absl::StrCat("nats://", nats_->address());
    return GatewayProcess::Start(options);
  }

  TempFolder folder_;
  std::unique_ptr<NatsServer> nats_;
};

TEST_P(SubscriptionCrashTest, NothingIsLostAndNothingThatWasAcknowledgedComesAgain) {
  if (GetParam() == Engine::kNats) StartNats();
  // A shared store waits until a dead gateway is known to be dead.
  const int kills = GetParam() == Engine::kNats ? std::max(Kills() / 4, 1) : Kills();
  std::mt19937 random(20260528);
  History history;
  for (int life = 0; life <= kills; ++life) {
    auto gateway = StartGateway();
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    if (life == 0) Prepare(*gateway);
    ASSERT_FALSE(HasFatalFailure());
    const bool last = life == kills;
    const size_t kill_at = last ? SIZE_MAX : history.settled() + 20 + random() % (kEvents / kills);
    std::vector<std::thread> consumers;
    for (int i = 0; i < kConsumers; ++i) {
      consumers.emplace_back([&] {
        const auto channel = ChannelTo(*gateway);
        Consume(channel, channel, kill_at, history);
        // The first to see enough kills; what the others have under way is cut off.
        if (!last) gateway->process().Signal(SIGKILL);
      });
    }
    for (std::thread& consumer : consumers) consumer.join();
    if (!last) {
      ASSERT_TRUE(gateway->process().Wait(absl::Seconds(10)).ok());
    }
    if (HasFailure()) return;
  }
  EXPECT_EQ(history.handled(), static_cast<size_t>(kEvents));
}

INSTANTIATE_TEST_SUITE_P(Engines, SubscriptionCrashTest, testing::Values(Engine::kSqlite, Engine::kNats),
                         [](const testing::TestParamInfo<Engine>& row) {
                           return row.param == Engine::kSqlite ? "Sqlite" : "Nats";
                         });

class SubscriptionReplicasCrashTest : public SubscriptionCrashTest {};

TEST_P(SubscriptionReplicasCrashTest, OtherGatewaysTakeOverWhatADeadOneHad) {
  StartNats();
  ASSERT_FALSE(HasFatalFailure());
  std::vector<GatewayProcess> gateways;
  for (int number = 0; number < 3; ++number) {
    auto gateway = StartGateway(number);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateways.push_back(*std::move(gateway));
  }
  Prepare(gateways.front());
  ASSERT_FALSE(HasFatalFailure());
  History history;

  // Each consumer goes round the gateways, and settles at the next one: whoever is asked knows whom to ask.
  std::vector<std::thread> consumers;
  for (size_t i = 0; i < gateways.size(); ++i) {
    consumers.emplace_back([&, i] {
      for (size_t turn = i; !HasFailure(); ++turn) {
        const auto channel = ChannelTo(gateways[turn % gateways.size()]);
        const auto settling = ChannelTo(gateways[(turn + 1) % gateways.size()]);
        if (Consume(channel, settling, SIZE_MAX, history)) return;
      }
    });
  }
  for (const size_t dead : {size_t{1}, size_t{2}}) {
    while (history.settled() < dead * kEvents / 4 && !HasFailure()) std::this_thread::yield();
    gateways[dead].process().Signal(SIGKILL);
  }
  for (std::thread& consumer : consumers) consumer.join();

  EXPECT_EQ(history.handled(), static_cast<size_t>(kEvents));
}

INSTANTIATE_TEST_SUITE_P(Engines, SubscriptionReplicasCrashTest, testing::Values(Engine::kNats),
                         [](const testing::TestParamInfo<Engine>&) { return std::string("Nats"); });

}  // namespace
}  // namespace aulm::gateway
