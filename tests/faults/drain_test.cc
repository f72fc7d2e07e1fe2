// Stops the gateway by SIGTERM again and again under sends and streams, and proves what a rolling restart promises: no
// send that aulm took fails at its caller, and every stream goes on without a gap or a repeat.
//
// DRAIN_SIGTERMS and DRAIN_STREAMS say how often and how many: 3 and 20 by default, 50 and 100 for the whole proof.
// What it prints at its end tells how many sends a second succeeded before each signal, of the 200 that are begun: to
// be looked at, since how many it is depends on the machine.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/hash/hash.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "aulm/gateway/client/event_follower.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "tests/simulator/simulator_process.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {
namespace {

using simulator::SimulatorProcess;

constexpr int kSenders = 8;
// Of one sender: 200 sends a second in all. A load, not a wait for anything.
constexpr absl::Duration kBetweenSends = absl::Milliseconds(40);
constexpr int kSendsBeforeSigterm = 100;
constexpr int kStatuses = 3;  // of each send
constexpr absl::Duration kPatience = absl::Minutes(2);

int FromEnvironment(const char* name, int otherwise) {
  const char* value = std::getenv(name);
  return value == nullptr ? otherwise : std::atoi(value);
}

// What became of each send. Thread-safe.
class Sends {
 public:
  void Note(std::string body, const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    if (status.ok()) {
      ++succeeded_;
    } else {
      failed_.emplace(std::move(body), absl::StrCat(status.error_code(), " ", status.error_message()));
    }
  }

  // Waits until `count` sends have succeeded.
  bool AwaitSucceeded(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return succeeded_ >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), kPatience);
  }

  size_t succeeded() const {
    absl::MutexLock lock(&mutex_);
    return succeeded_;
  }
  std::map<std::string, std::string> failed() const {
    absl::MutexLock lock(&mutex_);
    return failed_;
  }

 private:
  mutable absl::Mutex mutex_;
  size_t succeeded_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::string> failed_ ABSL_GUARDED_BY(mutex_);  // body → why
};

// One stream from the log's beginning, and what came: a hash for each event, in their order.
class Follower {
 public:
  explicit Follower(const std::string& address) : follower_(Channel(address), Options()), thread_([this] { Run(); }) {}
  ~Follower() {
    follower_.Stop();
    thread_.join();
  }

  bool AwaitEvents(size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto reached = [this, count]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return events_.size() >= count; };
    return mutex_.AwaitWithTimeout(absl::Condition(&reached), kPatience);
  }
  std::vector<uint64_t> events() const {
    absl::MutexLock lock(&mutex_);
    return events_;
  }

 private:
  static std::shared_ptr<grpc::Channel> Channel(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // a connection of its own
    return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
  }
  static client::FollowOptions Options() {
    client::FollowOptions options;
    options.request.set_position(v1::START_POSITION_EARLIEST);
    options.least_backoff = absl::Milliseconds(20);
    options.most_backoff = absl::Milliseconds(200);
    return options;
  }

  void Run() {
    while (const std::optional<v1::Event> event = follower_.Next()) {
      const absl::string_view id = event->delivery_id();
      absl::MutexLock lock(&mutex_);
      events_.push_back(absl::HashOf(id));
    }
    if (follower_.error().has_value()) ADD_FAILURE() << follower_.error()->message;
  }

  client::EventFollower follower_;
  mutable absl::Mutex mutex_;
  std::vector<uint64_t> events_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

class DrainTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/drain_XXXXXX");
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    auto simulator = SimulatorProcess::Start(
        {"--status-delay-ms=1", "--retry-base-ms=20", "--retry-max-ms=200", "--retry-attempts=0"});
    ASSERT_TRUE(simulator.ok()) << simulator.status();
    simulator_ = *std::move(simulator);
  }

  // On the ports of its first start.
  void StartGateway() {
    GatewayProcess::Options options;
    options.folder = folder_;
    options.aulm_base_url = simulator_->base_url();
    options.api_key = simulator::kTestKey;
    options.webhook_secret = simulator::kWebhookSecret;
    if (gateway_.has_value()) {
      options.environment = {{"GATEWAY_GRPC_LISTEN", gateway_->grpc_address()},
                             {"GATEWAY_WEBHOOK_LISTEN", gateway_->webhook_address()}};
    }
    gateway_.reset();
    auto gateway = GatewayProcess::Start(options);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateway_.emplace(*std::move(gateway));
  }

  void Send(int sender, const std::string& address, Sends& sends, const std::atomic<bool>& over) const {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);  // back soon, so that the load is on before the next
    arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
    arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 200);
    const auto stub = v1::MessagingService::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
    absl::Time due = absl::Now();
    for (int number = 0; !over; ++number) {
      absl::SleepFor(due - absl::Now());
      due = std::max(due + kBetweenSends, absl::Now());
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
      v1::SendTextRequest request;
      request.set_session_id(simulator::kConnectedSession);
      request.set_to("+966512345678");
      request.set_body(absl::StrCat(sender, "-", number));
      v1::SendTextResponse response;
      sends.Note(request.body(), stub->SendText(&context, request, &response));
    }
  }

  // The texts that aulm took.
  std::set<std::string> Taken() const {
    std::set<std::string> taken;
    const auto requests = simulator_->control().Requests();
    EXPECT_TRUE(requests.ok()) << requests.status();
    for (const auto& request : *requests) {
      if (request.message_id.empty()) continue;
      taken.insert(std::string(boost::json::parse(request.body).as_object().at("body").as_string()));
    }
    return taken;
  }

  // Every event of the log.
  std::vector<uint64_t> ReadLog() const {
    const auto stub =
        v1::EventService::NewStub(grpc::CreateChannel(gateway_->grpc_address(), grpc::InsecureChannelCredentials()));
    std::vector<uint64_t> log;
    v1::ReadEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    request.set_page_size(1000);
    v1::ReadEventsResponse response;
    do {
      grpc::ClientContext context;
      const grpc::Status status = stub->ReadEvents(&context, request, &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      for (const v1::Event& event : response.events())
        log.push_back(absl::HashOf(absl::string_view(event.delivery_id())));
      request.set_after_cursor(response.next_cursor());
    } while (!response.end_of_log());
    return log;
  }

  std::string folder_;
  std::unique_ptr<SimulatorProcess> simulator_;
  std::optional<GatewayProcess> gateway_;
};

TEST_F(DrainTest, NoSendThatAulmTookFailsAndNoStreamMissesAnEventOverSigterms) {
  const int sigterms = FromEnvironment("DRAIN_SIGTERMS", 3);
  StartGateway();
  ASSERT_TRUE(
      simulator_->control().SetWebhook(absl::StrCat("http://", gateway_->webhook_address(), "/webhooks/aulm")).ok());
  const std::string address = gateway_->grpc_address();
  std::vector<std::unique_ptr<Follower>> followers;
  for (int i = FromEnvironment("DRAIN_STREAMS", 20); i > 0; --i)
    followers.push_back(std::make_unique<Follower>(address));

  Sends sends;
  std::atomic<bool> over{false};
  std::vector<std::thread> senders;
  for (int sender = 0; sender < kSenders; ++sender) {
    senders.emplace_back([&, sender] { Send(sender, address, sends, over); });
  }
  absl::Duration slowest;
  std::vector<double> rates;  // sends a second that succeeded before each signal
  for (int i = 0; i < sigterms && !HasFailure(); ++i) {
    EXPECT_TRUE(sends.AwaitSucceeded(sends.succeeded() + 1)) << "the senders do not find it again";
    const absl::Time loaded = absl::Now();
    EXPECT_TRUE(sends.AwaitSucceeded(sends.succeeded() + kSendsBeforeSigterm));
    const absl::Time begin = absl::Now();
    rates.push_back(kSendsBeforeSigterm / absl::ToDoubleSeconds(begin - loaded));
    gateway_->process().Signal(SIGTERM);
    EXPECT_EQ(gateway_->process().Wait(absl::Seconds(30)).value_or(-1), 0);
    slowest = std::max(slowest, absl::Now() - begin);
    StartGateway();
  }
  EXPECT_TRUE(sends.AwaitSucceeded(sends.succeeded() + kSendsBeforeSigterm));
  over = true;
  for (std::thread& sender : senders) sender.join();

  const std::set<std::string> taken = Taken();
  const std::map<std::string, std::string> failed = sends.failed();
  for (const auto& [body, why] : failed) EXPECT_FALSE(taken.contains(body)) << body << " was taken, but told: " << why;
  EXPECT_EQ(taken.size(), sends.succeeded());

  const auto deliveries = simulator_->control().WaitForDeliveries(taken.size() * kStatuses, kPatience);
  ASSERT_TRUE(deliveries.ok()) << deliveries.status();
  const std::vector<uint64_t> log = ReadLog();
  EXPECT_EQ(log.size(), taken.size() * kStatuses);
  for (const std::unique_ptr<Follower>& follower : followers) {
    EXPECT_TRUE(follower->AwaitEvents(log.size()));
    EXPECT_TRUE(follower->events() == log) << "a stream that missed, repeated or reordered events";
  }
  ASSERT_FALSE(rates.empty());
  std::sort(rates.begin(), rates.end());
  std::printf(
      "%d SIGTERMs, %zu streams: %zu sends succeeded, %zu were refused, %zu events in the log; before a signal %.0f "
      "sends a second succeeded (median; at least %.0f); the slowest stop took %s\n",
      sigterms, followers.size(), sends.succeeded(), failed.size(), log.size(), rates[rates.size() / 2], rates.front(),
      absl::FormatDuration(slowest).c_str());
}

}  // namespace
}  // namespace aulm::gateway
