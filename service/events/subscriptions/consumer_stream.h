#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>

#include "service/events/frame_source.h"
#include "service/events/subscriptions/durable_subscription.h"

namespace aulm::gateway {

// The consumer's end of one SubscribeEvents call of a durable subscription: passes everything on. Thread-safe.
class ConsumerStream final : public FrameSource {
 public:
  ConsumerStream(std::shared_ptr<DurableSubscription> subscription, ConsumerSpec spec, std::string id)
      : subscription_(std::move(subscription)), spec_(std::move(spec)), id_(std::move(id)) {}

  void Start(StartCallback done) override {
    consumer_ = subscription_->Join(spec_, id_);
    std::move(done)(absl::OkStatus());
  }
  void Next(FrameCallback done) override { subscription_->Next(consumer_, std::move(done)); }
  void Close() override { subscription_->LeaveConsumer(consumer_); }
  const std::string& id() const override { return id_; }
  Totals totals() const override { return subscription_->TotalsOf(consumer_); }

 private:
  const std::shared_ptr<DurableSubscription> subscription_;
  const ConsumerSpec spec_;
  const std::string id_;
  std::atomic<uint64_t> consumer_ = 0;  // set in Start; a Close that was earlier is repeated after it
};

}  // namespace aulm::gateway
