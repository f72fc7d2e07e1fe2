#include "service/storage/jetstream/nats_subscriptions.h"

#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {
namespace {

class ThreadSubscription final : public NatsSubscription {
 public:
  ThreadSubscription(std::string subject, std::function<void(NatsMessage)> on_message)
      : subject_(std::move(subject)), shared_(std::make_shared<Shared>(std::move(on_message))) {}

  ~ThreadSubscription() override {
    // Of a connection that is closed already, the subscription is too.
    if (subscription_ != nullptr) natsSubscription_Unsubscribe(subscription_);
    shared_->End();
    natsSubscription_Destroy(subscription_);
  }

  natsStatus Start(natsConnection* connection) override {
    natsSubscription_Destroy(subscription_);
    subscription_ = nullptr;
    // Until nats.c's thread has ended.
    auto* const kept = new std::shared_ptr<Shared>(shared_);
    natsStatus status = natsConnection_Subscribe(
        &subscription_, connection, subject_.c_str(),
        [](natsConnection*, natsSubscription*, natsMsg* message, void* closure) {
          (*static_cast<std::shared_ptr<Shared>*>(closure))->Call(NatsMessage(message));
        },
        kept);
    if (status != NATS_OK) {
      delete kept;
      return status;
    }
    status = natsSubscription_SetOnCompleteCB(
        subscription_, [](void* closure) { delete static_cast<std::shared_ptr<Shared>*>(closure); }, kept);
    // What comes is bounded by what was asked for; a message dropped here would only be asked for again.
    if (status == NATS_OK) status = natsSubscription_SetPendingLimits(subscription_, -1, -1);
    return status;
  }

 private:
  // The thread of the connection before may still have something to hand over.
  class Shared {
   public:
    explicit Shared(std::function<void(NatsMessage)> on_message) : on_message_(std::move(on_message)) {}

    void Call(NatsMessage message) {
      absl::MutexLock lock(&calling_);
      if (!over_) on_message_(std::move(message));
    }
    void End() {
      absl::MutexLock lock(&calling_);
      over_ = true;
    }

   private:
    const std::function<void(NatsMessage)> on_message_;
    absl::Mutex calling_;
    bool over_ ABSL_GUARDED_BY(calling_) = false;
  };

  const std::string subject_;
  const std::shared_ptr<Shared> shared_;
  natsSubscription* subscription_ = nullptr;
};

class LoopSubscription final : public NatsSubscription {
 public:
  LoopSubscription(std::string subject, NatsLoop& loop, NatsLoop::Receiver receiver)
      : subject_(std::move(subject)), loop_(loop), receiver_(std::move(receiver)) {}

  ~LoopSubscription() override {
    if (subscription_ == nullptr) return;
    loop_.Remove(subscription_);
    natsSubscription_Unsubscribe(subscription_);
    natsSubscription_Destroy(subscription_);
  }

  natsStatus Start(natsConnection* connection) override {
    if (subscription_ != nullptr) {
      loop_.Remove(subscription_);
      natsSubscription_Destroy(subscription_);
      subscription_ = nullptr;
    }
    natsStatus status = natsConnection_SubscribeSync(&subscription_, connection, subject_.c_str());
    if (status != NATS_OK) return status;
    status = natsSubscription_SetPendingLimits(subscription_, -1, -1);
    loop_.Add(subscription_, receiver_);
    return status;
  }

 private:
  const std::string subject_;
  NatsLoop& loop_;
  const NatsLoop::Receiver receiver_;
  natsSubscription* subscription_ = nullptr;
};

}  // namespace

std::unique_ptr<NatsSubscription> MakeThreadSubscription(std::string subject,
                                                         std::function<void(NatsMessage)> on_message) {
  return std::make_unique<ThreadSubscription>(std::move(subject), std::move(on_message));
}

std::unique_ptr<NatsSubscription> MakeLoopSubscription(std::string subject, NatsLoop& loop,
                                                       NatsLoop::Receiver receiver) {
  return std::make_unique<LoopSubscription>(std::move(subject), loop, std::move(receiver));
}

}  // namespace aulm::gateway
