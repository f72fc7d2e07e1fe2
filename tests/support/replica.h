#pragma once

#include <memory>
#include <string>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "prometheus/text_serializer.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/events/event_hub.h"
#include "service/events/events_metrics.h"
#include "service/events/subscriptions/subscriptions.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_peers.h"
#include "tests/support/severed_state_store.h"

namespace aulm::gateway {

// The durable subscriptions of one gateway among several over the same log and store, without a server around them.
class Replica {
 public:
  Replica(const std::string& name, FakeEventLog& log, StateStore& state, std::shared_ptr<FakePeerNetwork> network,
          Clock& clock, Random& random, SubscriptionsOptions options = {}, const EventHubOptions& hub = {})
      : name_(name),
        log_(log),
        store_(state),
        peers_(network, name),
        network_(std::move(network)),
        metrics_(registry_),
        hub_(log_, clock, metrics_, hub) {
    EXPECT_TRUE(hub_.Start().ok());
    subscriptions_ = std::make_unique<Subscriptions>(hub_, store_, peers_, clock, random, metrics_, registry_, options);
    peers_.Answer([this](const std::string& question, PeerChannel::AskCallback answer) {
      subscriptions_->AnswerPeer(question, std::move(answer));
    });
  }
  ~Replica() {
    network_->Remove(name_);
    subscriptions_->Stop();
    hub_.Stop();
  }

  const std::string& name() const { return name_; }
  Subscriptions& operator*() { return *subscriptions_; }
  Subscriptions* operator->() { return subscriptions_.get(); }

  // Cut off from the store and from the others: it goes on with what it has.
  void Sever(bool severed) {
    store_.Sever(severed);
    network_->SetSilent(name_, severed);
  }
  // As SIGKILL would: nothing that it does from now on reaches anybody.
  void Kill() {
    network_->Remove(name_);
    store_.Sever(true);
  }

  // As Prometheus would get them.
  std::string Metrics() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  // Waits until what its registry's thread was asked to do is done.
  absl::StatusOr<v1::Subscription> Get(const std::string& subscription) {
    absl::StatusOr<v1::Subscription> result = absl::UnknownError("");
    absl::Notification done;
    subscriptions_->Get(subscription, [&](absl::StatusOr<v1::Subscription> got) {
      result = std::move(got);
      done.Notify();
    });
    done.WaitForNotification();
    return result;
  }

 private:
  const std::string name_;
  ReplicaEventLog log_;
  SeveredStateStore store_;
  FakePeers peers_;
  const std::shared_ptr<FakePeerNetwork> network_;
  prometheus::Registry registry_;
  EventsMetrics metrics_;
  EventHub hub_;
  std::unique_ptr<Subscriptions> subscriptions_;
};

}  // namespace aulm::gateway
