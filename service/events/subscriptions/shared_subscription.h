#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "service/events/event_filter.h"
#include "service/events/subscriptions/durable_subscription.h"
#include "service/events/subscriptions/kept_pages.h"
#include "service/events/subscriptions/shared_batch.h"
#include "service/events/subscriptions/shared_consumers.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/events/subscriptions/shared_share.h"

namespace aulm::gateway {

// Mode SHARED: does for this replica's SharedShare and its SharedConsumers what they cannot: reads the log, from the
// hub's ring or on a worker, fetches the bytes of what is handed out, makes frames, and keeps time. One state machine
// under one lock. Reads only while there are consumers.
class SharedSubscription final : public DurableSubscription, public HeadWaiter {
 public:
  SharedSubscription(const SubscriptionContext& context, const state::v1::SubscriptionRecord& record,
                     const SharedLedger::Limits& limits);

  absl::Status CheckMode(const ConsumerSpec& spec) const override;
  uint64_t Join(const ConsumerSpec& spec, const std::string& stream_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Next(uint64_t consumer, FrameSource::FrameCallback done) override ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveConsumer(uint64_t consumer) override ABSL_LOCKS_EXCLUDED(mutex_);
  FrameSource::Totals TotalsOf(uint64_t consumer) const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledge(const v1::AcknowledgeEventsRequest& request, AcknowledgeCallback done) override;
  absl::StatusOr<uint64_t> ReplayParked(const v1::ReplayParkedEventsRequest& request) override;

  void Reserve(PartitionSet partitions, const ShareContent& content,
               const std::vector<state::v1::ParkedRecord>& parked) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Hold(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Abandon(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  PartitionSet Withhold(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Resume(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  ShareContent ContentOf(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  PartitionSet held() const override ABSL_LOCKS_EXCLUDED(mutex_);
  size_t consumers() const override ABSL_LOCKS_EXCLUDED(mutex_);

  void OnHead() override;

 private:
  void Collect(Actions& actions) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  state::v1::SubscriptionShare ShareRecord() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<StateWrite> TakeFirstWrites() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FirstWritten(bool ok) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::vector<StateWrite> TakeWrites() override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool MustBeDurable() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Written(bool recorded, const std::vector<absl::StatusOr<uint64_t>>& results) override
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasWrites() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DrainConsumers(absl::string_view reason) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndConsumers(const absl::Status& status) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillStats(state::v1::ShareStats& share) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The parts of Collect.
  void TakeControlFrames(absl::Time now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::optional<absl::StatusOr<Frame>> ControlFrame(uint64_t id, SharedConsumer& consumer, absl::Time now)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeHeartbeats(absl::Time now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Scan(absl::Time now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void HandOut(absl::Time now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ArmTimers(absl::Time now, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(SharedConsumer& consumer, absl::StatusOr<Frame> frame, absl::Time now, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // Reading the log on a worker, and what came of it.
  void BeginRead(uint64_t after, bool refill, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void ReadOn(uint64_t after, bool refill) ABSL_LOCKS_EXCLUDED(mutex_);
  void FallBehind(uint64_t after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // A batch whose bytes are there goes out; else they are read first.
  void Deliver(SharedConsumer& consumer, SharedBatch batch, absl::Time now, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Fetch(SharedBatch batch) ABSL_LOCKS_EXCLUDED(mutex_);
  void Complete(SharedBatch batch, bool fetched) ABSL_LOCKS_EXCLUDED(mutex_);

  void Wake(absl::Duration delay, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<SharedSubscription> Self();

  SharedShare share_ ABSL_GUARDED_BY(mutex_);
  SharedLedger::Counts counted_ ABSL_GUARDED_BY(mutex_);  // of the ledger's, in the metrics already
  SharedConsumers consumers_ ABSL_GUARDED_BY(mutex_);

  bool reading_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_at_head_ ABSL_GUARDED_BY(mutex_) = false;
  KeptPages pages_ ABSL_GUARDED_BY(mutex_);

  absl::Time timer_at_ ABSL_GUARDED_BY(mutex_) = absl::InfiniteFuture();
  Clock::TimerId timer_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace aulm::gateway
