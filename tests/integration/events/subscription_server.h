#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/subscription_service.grpc.pb.h"
#include "grpcpp/create_channel.h"
#include "grpcpp/server.h"
#include "grpcpp/server_builder.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/events/event_hub.h"
#include "service/events/events_metrics.h"
#include "service/events/subscriptions/subscriptions.h"
#include "service/rpc/event_service.h"
#include "service/rpc/rpc_metrics.h"
#include "service/rpc/subscription_service.h"
#include "service/storage/no_peers.h"
#include "service/storage/state_store.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {

// The services of events and of subscriptions over a log and a state store, on a real gRPC server: one life of a
// gateway. A test that wants the next life makes another over the same log and store.
class SubscriptionServer {
 public:
  SubscriptionServer(EventLog& log, StateStore& state, SubscriptionsOptions options = {})
      : callers_(clock_, registry_),
        events_metrics_(registry_),
        rpc_metrics_(registry_),
        hub_(log, clock_, events_metrics_),
        peers_(absl::StrCat("replica-", random_.Uuid())) {
    EXPECT_TRUE(hub_.Start().ok());
    subscriptions_ =
        std::make_unique<Subscriptions>(hub_, state, peers_, clock_, random_, events_metrics_, registry_, options);
    const CallEnvironment calls{callers_, clock_, absl::Seconds(30)};
    events_ = std::make_unique<EventService>(calls, EventServiceOptions{}, hub_, events_metrics_, rpc_metrics_, random_,
                                             subscriptions_.get());
    service_ = std::make_unique<SubscriptionService>(calls, *subscriptions_, rpc_metrics_);
    grpc::ServerBuilder builder;
    int port = 0;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
    builder.RegisterService(events_.get());
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    const auto channel = grpc::CreateChannel(absl::StrCat("127.0.0.1:", port), grpc::InsecureChannelCredentials());
    events = v1::EventService::NewStub(channel);
    subscriptions = v1::SubscriptionService::NewStub(channel);
  }
  ~SubscriptionServer() { Stop(); }

  // As the gateway stops: Drain frames, calls to their end, what is left written.
  void Stop() {
    if (server_ == nullptr) return;
    events_->Drain();
    server_->Shutdown(std::chrono::system_clock::now() + std::chrono::seconds(5));
    server_->Wait();
    server_.reset();
    subscriptions_->Stop();
    hub_.Stop();
  }

  void Drain() { events_->Drain(); }

  grpc::Status Create(const v1::Subscription& specification, v1::Subscription* created = nullptr) {
    grpc::ClientContext context;
    v1::CreateSubscriptionRequest request;
    *request.mutable_subscription() = specification;
    v1::CreateSubscriptionResponse response;
    const grpc::Status status = subscriptions->CreateSubscription(&context, request, &response);
    if (created != nullptr) *created = response.subscription();
    return status;
  }

  v1::Subscription Get(const std::string& name) {
    grpc::ClientContext context;
    v1::GetSubscriptionRequest request;
    request.set_name(name);
    v1::GetSubscriptionResponse response;
    const grpc::Status status = subscriptions->GetSubscription(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response.subscription();
  }

  // The effect of one settlement.
  v1::SettlementEffect Settle(const std::string& name, const std::string& token,
                              v1::SettlementAction action = v1::SETTLEMENT_ACTION_ACK,
                              std::optional<int> delay_seconds = std::nullopt) {
    grpc::ClientContext context;
    v1::AcknowledgeEventsRequest request;
    request.set_subscription(name);
    v1::Settlement& settlement = *request.add_settlements();
    settlement.set_ack_token(token);
    settlement.set_action(action);
    if (delay_seconds.has_value()) settlement.mutable_delay()->set_seconds(*delay_seconds);
    v1::AcknowledgeEventsResponse response;
    const grpc::Status status = events->AcknowledgeEvents(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return status.ok() ? response.results(0).result() : v1::SETTLEMENT_EFFECT_UNSPECIFIED;
  }

  grpc::Status AcknowledgeTo(const std::string& name, const std::string& cursor) {
    grpc::ClientContext context;
    v1::AcknowledgeEventsRequest request;
    request.set_subscription(name);
    request.set_up_to_cursor(cursor);
    v1::AcknowledgeEventsResponse response;
    return events->AcknowledgeEvents(&context, request, &response);
  }

 private:
  SystemClock clock_;
  SystemRandom random_;
  prometheus::Registry registry_;
  CallerDirectory callers_;
  EventsMetrics events_metrics_;
  RpcMetrics rpc_metrics_;
  EventHub hub_;
  NoPeers peers_;
  std::unique_ptr<Subscriptions> subscriptions_;
  std::unique_ptr<EventService> events_;
  std::unique_ptr<SubscriptionService> service_;
  std::unique_ptr<grpc::Server> server_;

 public:
  std::unique_ptr<v1::EventService::Stub> events;
  std::unique_ptr<v1::SubscriptionService::Stub> subscriptions;
};

// One consumer that reads when the test says so. Cancelled when it goes: that is what a consumer's death looks like.
class Consumer {
 public:
  // Admitted, its Started frame taken; or refused, then Finish says why.
  Consumer(SubscriptionServer& server, v1::SubscribeEventsRequest request) {
    reader_ = server.events->SubscribeEvents(&context_, request);
    v1::SubscribeEventsResponse first;
    started_ = reader_->Read(&first);
    if (started_) {
      EXPECT_TRUE(first.has_started()) << first.ShortDebugString();
    }
  }
  Consumer(SubscriptionServer& server, const std::string& subscription, uint32_t max_outstanding = 0)
      : Consumer(server, RequestOf(subscription, max_outstanding)) {}
  ~Consumer() {
    if (!finished_) {
      context_.TryCancel();
      v1::SubscribeEventsResponse ignored;
      while (reader_->Read(&ignored)) {
      }
      reader_->Finish();
    }
  }

  static v1::SubscribeEventsRequest RequestOf(const std::string& subscription, uint32_t max_outstanding = 0) {
    v1::SubscribeEventsRequest request;
    request.set_subscription(subscription);
    request.set_max_outstanding_events(max_outstanding);
    request.mutable_heartbeat_interval()->set_seconds(1);
    return request;
  }

  bool started() const { return started_; }

  // The next frame that is no heartbeat; none at the end.
  v1::SubscribeEventsResponse Frame() {
    v1::SubscribeEventsResponse frame;
    do {
      frame.Clear();
      if (!reader_->Read(&frame)) return {};
    } while (frame.has_heartbeat());
    return frame;
  }

  // Takes frames until `count` deliveries came.
  std::vector<v1::Delivery> Take(size_t count) {
    std::vector<v1::Delivery> deliveries;
    while (deliveries.size() < count) {
      const v1::SubscribeEventsResponse frame = Frame();
      EXPECT_TRUE(frame.has_event_batch()) << frame.ShortDebugString();
      if (!frame.has_event_batch()) break;
      for (const v1::Delivery& delivery : frame.event_batch().deliveries()) deliveries.push_back(delivery);
    }
    EXPECT_EQ(deliveries.size(), count);
    return deliveries;
  }
  v1::Delivery TakeOne() {
    const std::vector<v1::Delivery> taken = Take(1);
    return taken.empty() ? v1::Delivery() : taken[0];
  }
  std::vector<std::string> TakeIds(size_t count) {
    std::vector<std::string> ids;
    for (const v1::Delivery& delivery : Take(count)) ids.push_back(delivery.event().delivery_id());
    return ids;
  }

  // True when nothing but a heartbeat comes next: nothing was ready when it was made.
  bool NextIsHeartbeat() {
    v1::SubscribeEventsResponse frame;
    return reader_->Read(&frame) && frame.has_heartbeat();
  }

  grpc::Status Finish() {
    v1::SubscribeEventsResponse ignored;
    while (reader_->Read(&ignored)) {
    }
    finished_ = true;
    return reader_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeEventsResponse>> reader_;
  bool started_ = false;
  bool finished_ = false;
};

inline v1::Subscription SharedSpec(const std::string& name) {
  v1::Subscription specification;
  specification.set_name(name);
  specification.set_mode(v1::SUBSCRIPTION_MODE_SHARED);
  specification.set_position(v1::START_POSITION_EARLIEST);
  return specification;
}

inline v1::Subscription CursorSpec(const std::string& name) {
  v1::Subscription specification = SharedSpec(name);
  specification.set_mode(v1::SUBSCRIPTION_MODE_CURSOR);
  return specification;
}

}  // namespace aulm::gateway
