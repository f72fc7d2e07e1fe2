#pragma once

#include <functional>
#include <memory>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "service/events/frame_source.h"
#include "service/events/subscriptions/durable_subscription.h"

namespace aulm::gateway {

// The FrameSource of one SubscribeEvents call of a durable subscription: finds the subscription in Start, and passes
// everything on from then on. Thread-safe.
class SubscriptionStream final : public FrameSource, public std::enable_shared_from_this<SubscriptionStream> {
 public:
  using Found = absl::StatusOr<std::shared_ptr<DurableSubscription>>;
  using Find = std::function<void(std::string name, absl::AnyInvocable<void(Found) &&> done)>;

  // `on_close` runs once, in Close.
  SubscriptionStream(Find find, ConsumerSpec spec, std::string id, std::function<void()> on_close);

  void Start(StartCallback done) override;
  void Next(FrameCallback done) override { source()->Next(std::move(done)); }
  void Close() override ABSL_LOCKS_EXCLUDED(mutex_);
  const std::string& id() const override { return id_; }
  Totals totals() const override;

 private:
  std::shared_ptr<FrameSource> source() const ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFound(Found found, StartCallback done) ABSL_LOCKS_EXCLUDED(mutex_);

  const Find find_;
  const ConsumerSpec spec_;
  const std::string id_;
  const std::function<void()> on_close_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<FrameSource> source_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
