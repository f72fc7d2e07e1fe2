// Three NATS servers, three gateways, load on all. Servers and gateways are killed, started again, stopped, woken, told
// to end and cut off from each other, one after the other: every delivery that was answered 2xx comes exactly once to a
// stream at every gateway, in the same order everywhere; and the consumers of a SHARED subscription handle every event,
// no conversation in two hands at once, and nothing again that was settled.
//
// The short form does each of this to one of the three. AULM_GATEWAY_CLUSTER_MINUTES makes it a long one, in which each
// has its turn, again and again for so many minutes. Servers are cut off in the long form alone, which has not passed
// often enough yet, and where AULM_GATEWAY_NATS_CLUSTER names one that is up to it, as in ./dev test.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "tests/faults/cluster/fleet.h"
#include "tests/faults/cluster/handled_events.h"
#include "tests/faults/cluster/sender.h"
#include "tests/faults/cluster/shared_consumer.h"
#include "tests/faults/cluster/subscriber.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_folder.h"

namespace aulm::gateway {
namespace {

// What must go on while something is away, and after it is back: acknowledgements of each gateway, and events handled.
constexpr int kProgress = 40;
constexpr absl::Duration kPatience = absl::Minutes(2);
constexpr size_t kNone = Fleet::kSize;

absl::Duration LongForm() {
  const char* minutes = std::getenv("AULM_GATEWAY_CLUSTER_MINUTES");
  return minutes == nullptr ? absl::ZeroDuration() : absl::Minutes(std::atoi(minutes));
}

// Debian 12's NATS (2.9.10) is not up to it: copies of its streams drift apart. ./dev test brings a newer one.
bool CanBeCutOff() { return LongForm() > absl::ZeroDuration() && std::getenv("AULM_GATEWAY_NATS_CLUSTER") != nullptr; }

class NatsClusterTest : public testing::Test {
 protected:
  void SetUp() override {
    auto cluster = NatsCluster::Start(folder_.path());
    ASSERT_TRUE(cluster.ok()) << cluster.status();
    cluster_ = *std::move(cluster);
    fleet_ = std::make_unique<Fleet>(folder_.path(), cluster_->url(), "whsec_cluster");
    handled_ = std::make_unique<HandledEvents>(*fleet_);
    for (size_t i = 0; i < Fleet::kSize; ++i) ASSERT_EQ(fleet_->Start(i), absl::OkStatus());
    ASSERT_NO_FATAL_FAILURE(SharedConsumer::CreateSubscription(*fleet_));
    for (size_t i = 0; i < Fleet::kSize; ++i) {
      subscribers_.push_back(std::make_unique<Subscriber>(*fleet_, i));
      consumers_.push_back(std::make_unique<SharedConsumer>(*fleet_, i, *handled_));
      senders_.push_back(std::make_unique<Sender>(*fleet_, i, static_cast<int>(i), counts_));
      receiving_.emplace_back([subscriber = subscribers_.back().get()] { subscriber->Run(); });
      receiving_.emplace_back([consumer = consumers_.back().get()] { consumer->Run(); });
      sending_.emplace_back([this, sender = senders_.back().get()] { sender->Run(stop_); });
    }
  }

  void TearDown() override {
    StopSending();
    for (auto& subscriber : subscribers_) subscriber->Stop();
    for (auto& consumer : consumers_) consumer->Stop();
    for (std::thread& thread : receiving_) thread.join();
  }

  void StopSending() {
    stop_ = true;
    for (std::thread& thread : sending_) thread.join();
    sending_.clear();
  }

  // Waits until the gateways, all but `away`, have acknowledged some more, and some more was handled. A gateway whose
  // server is cut off says so instead: with `or_refusals`, that is enough.
  void AwaitProgress(const std::string& after, size_t away = kNone, bool or_refusals = false) {
    const absl::Time begun = absl::Now();
    const size_t handled = handled_->handled() + kProgress;
    for (size_t i = 0; i < Fleet::kSize; ++i) {
      if (i == away) continue;
      const int acknowledged = counts_.at(i).acknowledged + kProgress;
      const int refused = counts_.at(i).refused + 2;
      while (counts_.at(i).acknowledged < acknowledged && !(or_refusals && counts_.at(i).refused >= refused)) {
        ASSERT_LT(absl::Now(), begun + kPatience) << "gateway " << i << " takes no deliveries after: " << after;
        ASSERT_FALSE(fleet_->HasEnded(i)) << "gateway " << i << " ended by itself after: " << after;
        ASSERT_FALSE(HasFailure());
        std::this_thread::yield();
      }
    }
    ASSERT_TRUE(handled_->AwaitHandled(handled, kPatience)) << "nothing is handled after: " << after;
    std::printf("%6.1f s until everything went on after: %s\n", absl::ToDoubleSeconds(absl::Now() - begun),
                after.c_str());
    std::fflush(stdout);
  }

  void KillServer(int index) {
    cluster_->server(index).Kill();
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("server ", index, " was killed")));
    ASSERT_TRUE(cluster_->server(index).Restart().ok());
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("server ", index, " was started again")));
  }

  void StopServer(int index) {
    cluster_->server(index).Signal(SIGSTOP);
    AwaitProgress(absl::StrCat("server ", index, " was stopped"));
    cluster_->server(index).Signal(SIGCONT);
    if (HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("server ", index, " was woken")));
  }

  void CutServerOff(int index) {
    cluster_->CutOff(index);
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("server ", index, " was cut off"), kNone, /*or_refusals=*/true));
    cluster_->Heal(index);
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("server ", index, " was brought back")));
  }

  void KillGateway(size_t index) {
    fleet_->Kill(index);
    ASSERT_NO_FATAL_FAILURE(AwaitTakeover(absl::StrCat("gateway ", index, " was killed"), index));
    ASSERT_EQ(fleet_->Start(index), absl::OkStatus());
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("gateway ", index, " was started again")));
  }

  void StopGateway(size_t index) {
    fleet_->Stop(index);
    AwaitTakeover(absl::StrCat("gateway ", index, " was stopped"), index);
    fleet_->Wake(index);
    if (HasFatalFailure()) return;
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("gateway ", index, " was woken")));
  }

  void TerminateGateway(size_t index) {
    const absl::StatusOr<int> exit_status = fleet_->Terminate(index);
    ASSERT_TRUE(exit_status.ok()) << "gateway " << index << " does not end: " << exit_status.status();
    ASSERT_EQ(*exit_status, 0);
    ASSERT_NO_FATAL_FAILURE(AwaitTakeover(absl::StrCat("gateway ", index, " was told to end"), index));
    ASSERT_EQ(fleet_->Start(index), absl::OkStatus());
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(absl::StrCat("gateway ", index, " was started once more")));
  }

  // Waits until the others have all that is in the log by now, and so what the gateway that is away had of it.
  void AwaitTakeover(const std::string& after, size_t away) {
    ASSERT_NO_FATAL_FAILURE(AwaitProgress(after, away));
    const absl::Time begun = absl::Now();
    const size_t by_now = subscribers_.at((away + 1) % Fleet::kSize)->ids().size();
    ASSERT_TRUE(handled_->AwaitHandled(by_now, kPatience)) << "nobody has taken over after: " << after;
    std::printf("%6.1f s more until others had taken over\n", absl::ToDoubleSeconds(absl::Now() - begun));
  }

  TempFolder folder_;
  std::unique_ptr<NatsCluster> cluster_;
  std::unique_ptr<Fleet> fleet_;
  std::unique_ptr<HandledEvents> handled_;
  std::atomic<bool> stop_{false};
  Sender::AllCounts counts_;
  std::vector<std::unique_ptr<Sender>> senders_;
  std::vector<std::unique_ptr<Subscriber>> subscribers_;
  std::vector<std::unique_ptr<SharedConsumer>> consumers_;
  std::vector<std::thread> sending_;
  std::vector<std::thread> receiving_;
};

TEST_F(NatsClusterTest, WhatWasAcknowledgedComesOnceAndInOneOrderWhateverFails) {
  const absl::Time end = absl::Now() + LongForm();
  ASSERT_NO_FATAL_FAILURE(AwaitProgress("the start"));
  int rounds = 0;
  for (; rounds == 0 || absl::Now() < end; ++rounds) {
    const int server = rounds % static_cast<int>(Fleet::kSize);
    const auto gateway = static_cast<size_t>(server);
    ASSERT_NO_FATAL_FAILURE(KillServer(server));
    ASSERT_NO_FATAL_FAILURE(KillGateway(gateway));
    ASSERT_NO_FATAL_FAILURE(StopServer((server + 1) % 3));
    ASSERT_NO_FATAL_FAILURE(StopGateway((gateway + 1) % Fleet::kSize));
    if (CanBeCutOff()) {
      ASSERT_NO_FATAL_FAILURE(CutServerOff((server + 2) % 3));
    }
    ASSERT_NO_FATAL_FAILURE(TerminateGateway((gateway + 2) % Fleet::kSize));
  }
  StopSending();

  // What was stored and not acknowledged comes on top.
  std::set<std::string> acknowledged;
  for (const auto& sender : senders_) acknowledged.insert(sender->ids().begin(), sender->ids().end());
  size_t longest = 0;
  for (const auto& subscriber : subscribers_) {
    EXPECT_TRUE(subscriber->AwaitSize(acknowledged.size(), kPatience));
    longest = std::max(longest, subscriber->ids().size());
  }
  for (const auto& subscriber : subscribers_) EXPECT_TRUE(subscriber->AwaitSize(longest, kPatience));
  const std::vector<std::string> first = subscribers_.front()->ids();
  const std::set<std::string> distinct(first.begin(), first.end());
  EXPECT_EQ(distinct.size(), first.size()) << "some came twice";
  std::vector<std::string> lost;
  std::set_difference(acknowledged.begin(), acknowledged.end(), distinct.begin(), distinct.end(),
                      std::back_inserter(lost));
  EXPECT_THAT(lost, testing::IsEmpty()) << "of " << acknowledged.size() << " acknowledged deliveries";
  for (const auto& subscriber : subscribers_) EXPECT_TRUE(subscriber->ids() == first) << "another order or another set";
  EXPECT_TRUE(handled_->AwaitHandled(distinct.size(), kPatience))
      << handled_->handled() << " of " << distinct.size() << " were handled";
  std::printf("%d rounds, %zu deliveries acknowledged, %zu in the log, %d deliveries to consumers were not the first\n",
              rounds, acknowledged.size(), first.size(), handled_->redelivered());
}

}  // namespace
}  // namespace aulm::gateway
