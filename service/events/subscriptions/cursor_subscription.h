#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/container/btree_map.h"
#include "service/events/event_stream.h"
#include "service/events/subscriptions/durable_subscription.h"

namespace aulm::gateway {

// Mode CURSOR: of its consumers the one that came first gets every event in log order, by an EventStream that starts
// after the last acknowledgement; the others, on this replica or another, wait for it to go, or take over by force.
// Acknowledgements are cumulative.
class CursorSubscription final : public DurableSubscription {
 public:
  CursorSubscription(const SubscriptionContext& context, const state::v1::SubscriptionRecord& record);

  absl::Status CheckMode(const ConsumerSpec& spec) const override;
  uint64_t Join(const ConsumerSpec& spec, const std::string& stream_id) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Next(uint64_t consumer, FrameSource::FrameCallback done) override ABSL_LOCKS_EXCLUDED(mutex_);
  void LeaveConsumer(uint64_t consumer) override ABSL_LOCKS_EXCLUDED(mutex_);
  FrameSource::Totals TotalsOf(uint64_t consumer) const override ABSL_LOCKS_EXCLUDED(mutex_);
  void Acknowledge(const v1::AcknowledgeEventsRequest& request, AcknowledgeCallback done) override;

  void Reserve(PartitionSet partitions, const ShareContent& content,
               const std::vector<state::v1::ParkedRecord>& parked) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Hold(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Abandon(PartitionSet) override {}
  // Ends the consumer that has it.
  PartitionSet Withhold(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Resume(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  ShareContent ContentOf(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(PartitionSet partitions) override ABSL_LOCKS_EXCLUDED(mutex_);
  PartitionSet held() const override ABSL_LOCKS_EXCLUDED(mutex_);
  size_t consumers() const override ABSL_LOCKS_EXCLUDED(mutex_);
  bool wants_by_force() const override ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Consumer {
    ConsumerSpec spec;
    std::string stream_id;
    FrameSource::FrameCallback next;
    bool started = false;
    std::string drain;  // the reason; empty: not draining
    absl::Status end;   // not OK: over
    absl::Time last_frame;
    std::shared_ptr<EventStream> log;  // of the active one
    bool log_ready = false;            // its Started frame was taken
    bool log_asked = false;            // its Next is outstanding, or held_back was its answer
    std::optional<Frame> held_back;    // events that came while another replica might have them
    FrameSource::Totals totals;
  };

  void Collect(Actions& actions) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  state::v1::SubscriptionShare ShareRecord() const override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DrainConsumers(absl::string_view reason) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndConsumers(const absl::Status& status) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FillStats(state::v1::ShareStats& share) override ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // From now on an acknowledgement of more than is delivered from now on is of a consumer that was ended by force.
  void Fence() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Makes the first consumer the active one, when there is none.
  void Activate(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void OnLogStarted(uint64_t consumer, absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnLogFrame(uint64_t consumer, absl::StatusOr<Frame> frame) ABSL_LOCKS_EXCLUDED(mutex_);
  void TakeLogFrame(uint64_t id, Consumer& consumer, absl::StatusOr<Frame> frame, Actions& actions)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answer(Consumer& consumer, absl::StatusOr<Frame> frame, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Drops a consumer's EventStream, if it has one.
  void Detach(uint64_t id, Consumer& consumer, Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AdvanceTo(const Position& position, AcknowledgeCallback done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Advanced(const absl::StatusOr<Position>& position, AcknowledgeCallback done) ABSL_LOCKS_EXCLUDED(mutex_);
  void ArmTimer(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::shared_ptr<CursorSubscription> Self();

  Position acknowledged_ ABSL_GUARDED_BY(mutex_);
  bool held_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;  // another replica is to have it
  // Where the log ended at the last seek or takeover by force. Nothing up to there but what was delivered since can
  // have been handled by whoever has it now: an acknowledgement that says so is of an earlier delivery, and would undo
  // the seek, or skip what the new consumer has not seen.
  uint64_t fence_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t delivered_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::btree_map<uint64_t, Consumer> consumers_ ABSL_GUARDED_BY(mutex_);  // in the order they came
  uint64_t last_consumer_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t active_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: none
  uint64_t forced_ ABSL_GUARDED_BY(mutex_) = 0;  // the one that is to have it next
  bool timer_armed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
