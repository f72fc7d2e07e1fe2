#include "tests/faults/cluster/shared_consumer.h"

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <chrono>
#include <thread>
#include <utility>

#include "aulm/gateway/v1/subscription_service.grpc.pb.h"

namespace aulm::gateway {
namespace {

// For an answer of a gateway, which may be stopped.
constexpr std::chrono::seconds kPatience(5);

std::shared_ptr<grpc::Channel> ChannelTo(const std::string& address) {
  return grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
}

}  // namespace

void SharedConsumer::CreateSubscription(const Fleet& fleet) {
  v1::CreateSubscriptionRequest request;
  request.mutable_subscription()->set_name(kSubscription);
  request.mutable_subscription()->set_mode(v1::SUBSCRIPTION_MODE_SHARED);
  request.mutable_subscription()->set_position(v1::START_POSITION_EARLIEST);
  request.mutable_subscription()->set_max_attempts(1000);
  const auto stub = v1::SubscriptionService::NewStub(ChannelTo(fleet.grpc_address(0)));
  grpc::Status status;
  // Servers that have just started still elect their leaders.
  do {
    grpc::ClientContext context;
    v1::CreateSubscriptionResponse response;
    status = stub->CreateSubscription(&context, request, &response);
  } while (status.error_code() == grpc::StatusCode::UNAVAILABLE);
  ASSERT_TRUE(status.ok() || status.error_code() == grpc::StatusCode::ALREADY_EXISTS) << status.error_message();
}

void SharedConsumer::Run() {
  std::thread settling([this] { SettleAll(); });
  for (size_t at = home_;; at = (at + 1) % Fleet::kSize) {
    auto context = std::make_shared<grpc::ClientContext>();
    {
      absl::MutexLock lock(&mutex_);
      if (stopped_) break;
      context_ = context;
    }
    Follow(at, *context);
  }
  settling.join();
}

void SharedConsumer::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
  if (context_ != nullptr) context_->TryCancel();
}

void SharedConsumer::Follow(size_t gateway, grpc::ClientContext& context) {
  const HandledEvents::Stream self{gateway, fleet_.disturbances(gateway)};
  v1::SubscribeEventsRequest request;
  request.set_subscription(kSubscription);
  request.set_max_outstanding_events(8);
  const auto stream = StubOf(gateway, reading_).SubscribeEvents(&context, request);
  v1::SubscribeEventsResponse frame;
  while (stream->Read(&frame)) {
    if (frame.event_batch().deliveries().empty()) continue;
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) history_.Begin(delivery, self);
    history_.Linger();
    for (const v1::Delivery& delivery : frame.event_batch().deliveries()) history_.End(delivery.event());
    {
      absl::MutexLock lock(&mutex_);
      handled_[gateway].MergeFrom(frame.event_batch());
    }
    // Whatever comes over a stream of before is excused: let that be one frame.
    if (fleet_.disturbances(gateway) != self.disturbances) context.TryCancel();
  }
  stream->Finish();
}

void SharedConsumer::SettleAll() {
  while (true) {
    std::map<size_t, v1::EventBatch> handled;  // all of it: an answer may take its time
    {
      absl::MutexLock lock(&mutex_);
      const auto has = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopped_ || !handled_.empty(); };
      mutex_.Await(absl::Condition(&has));
      if (stopped_) return;
      handled.swap(handled_);
    }
    for (const auto& [gateway, batch] : handled) Settle(gateway, batch);
  }
}

void SharedConsumer::Settle(size_t gateway, const v1::EventBatch& handled) {
  v1::AcknowledgeEventsRequest request;
  request.set_subscription(kSubscription);
  for (const v1::Delivery& delivery : handled.deliveries()) {
    v1::Settlement& settlement = *request.add_settlements();
    settlement.set_ack_token(delivery.ack_token());
    settlement.set_action(v1::SETTLEMENT_ACTION_ACK);
  }
  // The gateway next door may be dead, or stopped: then each call takes all its time, and what is in hand waits for it.
  for (const size_t at : {(gateway + 1) % Fleet::kSize, gateway}) {
    const int disturbances = fleet_.disturbances(at);
    if (at != gateway && silent_.at(at) == disturbances) continue;
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + kPatience);
    v1::AcknowledgeEventsResponse answer;
    const grpc::Status status = StubOf(at, settling_).AcknowledgeEvents(&context, request, &answer);
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) silent_.at(at) = disturbances;
    if (!status.ok()) continue;
    for (int i = 0; i < answer.results_size(); ++i) {
      if (answer.results(i).result() != v1::SETTLEMENT_EFFECT_OK) continue;
      history_.Settled(handled.deliveries(i).event().delivery_id());
    }
    return;
  }
}

v1::EventService::Stub& SharedConsumer::StubOf(size_t gateway, Stubs& stubs) {
  const std::string address = fleet_.grpc_address(gateway);
  std::unique_ptr<v1::EventService::Stub>& stub = stubs[address];
  if (stub == nullptr) stub = v1::EventService::NewStub(ChannelTo(address));
  return *stub;
}

}  // namespace aulm::gateway
