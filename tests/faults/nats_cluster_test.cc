// Three NATS servers, three gateways, load on all, and each server in turn killed, started again, stopped and woken:
// every delivery that was answered 2xx is delivered exactly once to a stream at every gateway, in the same order
// everywhere.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "tests/support/gateway_process.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_folder.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

constexpr int kReplicas = 3;
constexpr int kSendersEach = 2;
// Acknowledgements that each gateway must give while a server is away, and after it is back.
constexpr int kProgress = 50;
constexpr char kSession[] = "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c";
constexpr char kSecret[] = "whsec_cluster";

// The rounds of faults go on for so long in the long form: AULM_GATEWAY_CLUSTER_MINUTES. Without it, one round.
absl::Duration Longest() {
  const char* minutes = std::getenv("AULM_GATEWAY_CLUSTER_MINUTES");
  return minutes == nullptr ? absl::ZeroDuration() : absl::Minutes(std::atoi(minutes));
}

// What one thread's aulm got acknowledged by one gateway: each delivery is posted until it is.
class Sender {
 public:
  Sender(int replica, int number, std::string address)
      : replica_(replica), number_(number), client_(std::move(address), kSecret) {}

  void Run(const std::atomic<bool>& stop, std::atomic<int>& acknowledged) {
    for (int i = 0; !stop; ++i) {
      const std::string id = absl::StrFormat("%08x-%04x-4000-8000-%012d", replica_, number_, i);
      const std::string body = InboundMessageBody(id, kSession, "+966512345678", "hi");
      while (!stop) {
        const absl::StatusOr<int> answer = client_.Post("inbound_message", id, body);
        // The gateways live: only the store behind them has trouble.
        ASSERT_TRUE(answer.ok()) << answer.status();
        ASSERT_THAT(*answer, testing::AnyOf(200, 503, 429));
        if (*answer != 200) continue;
        ids_.push_back(id);
        ++acknowledged;
        break;
      }
    }
  }

  const std::vector<std::string>& ids() const { return ids_; }

 private:
  const int replica_;
  const int number_;
  WebhookClient client_;
  std::vector<std::string> ids_;
};

// One subscriber at one gateway, which comes back with its cursor whenever its stream ends.
class Subscriber {
 public:
  explicit Subscriber(const std::string& address)
      : stub_(v1::EventService::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {}

  void Run() {
    while (true) {
      auto context = std::make_shared<grpc::ClientContext>();
      {
        absl::MutexLock lock(&mutex_);
        if (stopped_) return;
        context_ = context;
      }
      v1::SubscribeEventsRequest request;
      if (cursor_.empty()) {
        request.set_position(v1::START_POSITION_EARLIEST);
      } else {
        request.set_after_cursor(cursor_);
      }
      auto stream = stub_->SubscribeEvents(context.get(), request);
      v1::SubscribeEventsResponse frame;
      while (stream->Read(&frame)) Take(frame);
      const grpc::Status status = stream->Finish();
      ASSERT_NE(status.error_code(), grpc::StatusCode::OUT_OF_RANGE) << status.error_message();
    }
  }

  void Stop() {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }

  size_t size() const {
    absl::MutexLock lock(&mutex_);
    return ids_.size();
  }

  std::vector<std::string> ids() const {
    absl::MutexLock lock(&mutex_);
    return ids_;
  }

 private:
  void Take(const v1::SubscribeEventsResponse& frame) {
    ASSERT_FALSE(frame.has_gap());
    if (frame.has_heartbeat()) cursor_ = frame.heartbeat().resume_cursor();
    if (frame.has_drain()) cursor_ = frame.drain().resume_cursor();
    if (!frame.has_event_batch()) return;
    absl::MutexLock lock(&mutex_);
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) {
      ids_.push_back(delivery.event().delivery_id());
    }
    cursor_ = frame.event_batch().resume_cursor();
  }

  const std::unique_ptr<v1::EventService::Stub> stub_;
  std::string cursor_;
  mutable absl::Mutex mutex_;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<grpc::ClientContext> context_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::string> ids_ ABSL_GUARDED_BY(mutex_);
};

class NatsClusterTest : public testing::Test {
 protected:
  void SetUp() override {
    auto cluster = NatsCluster::Start(folder_.path());
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    for (int i = 0; i < kReplicas; ++i) {
      GatewayProcess::Options options;
      options.folder = absl::StrCat(folder_.path(), "/gateway-", i);
      std::filesystem::create_directories(options.folder);
      options.webhook_secret = kSecret;
      options.environment["GATEWAY_STORE"] = cluster_->url();
      auto gateway = GatewayProcess::Start(options);
      ASSERT_TRUE(gateway.ok()) << gateway.status();
      gateways_.push_back(*std::move(gateway));
      subscribers_.push_back(std::make_unique<Subscriber>(gateways_.back().grpc_address()));
    }
    for (int i = 0; i < kReplicas; ++i) {
      threads_.emplace_back([this, i] { subscribers_[static_cast<size_t>(i)]->Run(); });
      for (int k = 0; k < kSendersEach; ++k) {
        senders_.push_back(std::make_unique<Sender>(i, k, gateways_[static_cast<size_t>(i)].webhook_address()));
        sending_.emplace_back(
            [this, sender = senders_.back().get(), i] { sender->Run(stop_, acknowledged_[static_cast<size_t>(i)]); });
      }
    }
  }

  void TearDown() override {
    stop_ = true;
    for (std::thread& thread : sending_) thread.join();
    for (auto& subscriber : subscribers_) subscriber->Stop();
    for (std::thread& thread : threads_) thread.join();
  }

  // Waits until every gateway has acknowledged some more; false when one of them has ended, or takes minutes.
  bool AwaitProgress() {
    const absl::Time limit = absl::Now() + absl::Minutes(2);
    for (size_t i = 0; i < gateways_.size(); ++i) {
      const int wanted = acknowledged_[i] + kProgress;
      while (acknowledged_[i] < wanted) {
        if (absl::Now() > limit || HasFailure()) return false;
        if (gateways_[i].process().Wait(absl::ZeroDuration()).ok()) return false;
        std::this_thread::yield();
      }
    }
    return true;
  }

  TempFolder folder_;
  std::unique_ptr<NatsCluster> cluster_;
  std::vector<GatewayProcess> gateways_;
  std::atomic<bool> stop_{false};
  std::array<std::atomic<int>, kReplicas> acknowledged_{};
  std::vector<std::unique_ptr<Sender>> senders_;
  std::vector<std::unique_ptr<Subscriber>> subscribers_;
  std::vector<std::thread> sending_;
  std::vector<std::thread> threads_;
};

TEST_F(NatsClusterTest, WhatWasAcknowledgedComesOnceAndInOneOrderWhateverServerFails) {
  const absl::Time end = absl::Now() + Longest();
  int rounds = 0;
  do {
    for (int i = 0; i < kReplicas; ++i) {
      NatsServer& server = cluster_->server(i);
      server.Kill();
      ASSERT_TRUE(AwaitProgress()) << "server " << i << " was killed, round " << rounds;
      ASSERT_TRUE(server.Restart().ok());
      ASSERT_TRUE(AwaitProgress()) << "server " << i << " was started again, round " << rounds;
      server.Signal(SIGSTOP);
      ASSERT_TRUE(AwaitProgress()) << "server " << i << " was stopped, round " << rounds;
      server.Signal(SIGCONT);
      ASSERT_TRUE(AwaitProgress()) << "server " << i << " was woken, round " << rounds;
    }
    ++rounds;
  } while (absl::Now() < end);
  stop_ = true;
  for (std::thread& thread : sending_) thread.join();
  sending_.clear();

  std::map<std::string, int> count;
  size_t acknowledged = 0;
  for (const auto& sender : senders_) {
    acknowledged += sender->ids().size();
    for (const std::string& id : sender->ids()) count[id] = 0;
  }
  // Each stream must come to hold all of them; what was stored and not acknowledged comes on top.
  const auto missing = [&](const std::vector<std::string>& ids) {
    std::map<std::string, int> left = count;
    for (const std::string& id : ids) left.erase(id);
    return left.size();
  };
  const absl::Time limit = absl::Now() + absl::Minutes(1);
  size_t longest = 0;
  for (const auto& subscriber : subscribers_) {
    while (missing(subscriber->ids()) > 0 && absl::Now() < limit) std::this_thread::yield();
    longest = std::max(longest, subscriber->size());
  }
  for (const auto& subscriber : subscribers_) {
    while (subscriber->size() < longest && absl::Now() < limit) std::this_thread::yield();
  }
  const std::vector<std::string> first = subscribers_.front()->ids();
  for (const std::string& id : first) ++count[id];
  size_t lost = 0, doubled = 0;
  for (const auto& [id, times] : count) {
    lost += times == 0 ? 1 : 0;
    doubled += times > 1 ? 1 : 0;
  }
  EXPECT_EQ(lost, 0u) << "of " << acknowledged << " acknowledged deliveries";
  EXPECT_EQ(doubled, 0u);
  for (const auto& subscriber : subscribers_) EXPECT_TRUE(subscriber->ids() == first) << "another order or another set";
  RecordProperty("rounds", rounds);
  RecordProperty("acknowledged", static_cast<int>(acknowledged));
}

}  // namespace
}  // namespace aulm::gateway
