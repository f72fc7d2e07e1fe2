#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/subscription_peer.pb.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/events/event_filter.h"
#include "service/events/event_hub.h"
#include "service/events/event_stream.h"
#include "service/events/frame_source.h"
#include "service/events/subscriptions/ack_token.h"
#include "service/events/subscriptions/assignment.h"
#include "service/events/subscriptions/replica_roster.h"
#include "service/events/subscriptions/share_records.h"
#include "service/events/subscriptions/subscription_metrics.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// What every subscription works with. All outlive them.
struct SubscriptionContext {
  EventHub& hub;
  StateStore& state;
  Clock& clock;
  Random& random;
  SubscriptionMetrics& metrics;
  const AckTokens& tokens;
  const ReplicaRoster& roster;
  EventStreamContext streams;  // of mode CURSOR
  // Asks for a look at who should have which part of the named subscription. Never blocks.
  std::function<void(const std::string& name)> look;
  // What the caller of that name may see; null: everything. Never blocks.
  std::function<std::shared_ptr<const EventVisibility>(absl::string_view caller)> visibility_of;
};

// A SubscribeEvents request for a durable subscription that was checked, with every default filled in.
struct ConsumerSpec {
  std::string subscription;
  std::string consumer_id;
  size_t max_batch_events = 256;
  std::optional<size_t> max_outstanding_events;  // SHARED alone; 100 when absent
  absl::Duration heartbeat_interval = absl::Seconds(20);
  bool include_raw_body = false;
  bool take_over = false;  // CURSOR alone
};

// This replica's share of one durable subscription: a state machine under one mutex that hands the events of the
// partitions that it holds to its consumers, and keeps in the store how far they are. What is to be kept is written in
// rounds, one at a time: whatever came up while one was on its way goes with the next, so that many acknowledgements
// share a commit. Each round rewrites the share's record by compare-and-set: when another replica has taken the share
// over (and rewritten the record), the round fails and this object ends. Which partitions it holds, the registry's
// thread decides (PartitionKeeper); until then it holds none. Derived classes are the two modes. Thread-safe.
class DurableSubscription : public std::enable_shared_from_this<DurableSubscription> {
 public:
  using AcknowledgeCallback = absl::AnyInvocable<void(absl::StatusOr<v1::AcknowledgeEventsResponse>) &&>;

  DurableSubscription(const SubscriptionContext& context, const state::v1::SubscriptionRecord& record);
  virtual ~DurableSubscription() = default;

  const std::string& name() const { return record_.specification().name(); }
  const std::string& id() const { return record_.id(); }
  const state::v1::SubscriptionRecord& record() const { return record_; }
  // Where its share's record stands.
  const std::string& share_key() const { return share_key_; }
  // What its caller may see now; null: everything.
  const EventVisibility* visibility() const { return selection_.visibility.get(); }
  // True in mode CURSOR: it is had as a whole or not at all.
  bool whole() const { return record_.specification().mode() == v1::SUBSCRIPTION_MODE_CURSOR; }

  // What the registry's thread does with partitions, step by step. Take in how far they are: afterwards WriteThrough,
  // then compare-and-set who has them, then Hold or Abandon.
  virtual void Reserve(PartitionSet partitions, const ShareContent& content,
                       const std::vector<state::v1::ParkedRecord>& parked) = 0;
  // Blocks until everything is durable that came up before. Errors: STORE_UNAVAILABLE; DRAINING when it has ended.
  absl::Status WriteThrough() ABSL_LOCKS_EXCLUDED(mutex_);
  virtual void Hold(PartitionSet partitions) = 0;
  virtual void Abandon(PartitionSet partitions) = 0;
  // Hands out nothing more of them, and says which can go now; `look` is called when others can.
  virtual PartitionSet Withhold(PartitionSet partitions) = 0;
  virtual void Resume(PartitionSet partitions) = 0;
  virtual ShareContent ContentOf(PartitionSet partitions) = 0;
  virtual void Forget(PartitionSet partitions) = 0;
  virtual PartitionSet held() const = 0;

  // The epoch of its tokens and the subscription's generation, as the assignment has them; `term`: of the roster, when
  // the assignment was read. Nothing is handed out in another term. `assignment`: who has what.
  void Confirm(uint64_t epoch, uint64_t term, const Assignment& assignment) ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t epoch() const ABSL_LOCKS_EXCLUDED(mutex_);
  uint64_t term() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Who had what when it was last looked.
  Assignment assignment() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Streams that are connected, those left out that are being ended.
  virtual size_t consumers() const = 0;

  // A consumer, which waits for its Start. Errors: SUBSCRIPTION_MODE, when the request is for the other mode.
  absl::StatusOr<std::shared_ptr<FrameSource>> AddConsumer(const ConsumerSpec& spec);

  // A consumer's calls, from its ConsumerStream.
  virtual uint64_t Join(const ConsumerSpec& spec, const std::string& stream_id) = 0;
  virtual void Next(uint64_t consumer, FrameSource::FrameCallback done) = 0;
  virtual void LeaveConsumer(uint64_t consumer) = 0;
  virtual FrameSource::Totals TotalsOf(uint64_t consumer) const = 0;

  // Answers when what it did is durable, on a thread that must not block. Errors: SUBSCRIPTION_MODE, INVALID_FIELD,
  // CURSOR_INVALID, CURSOR_EXPIRED, STORE_UNAVAILABLE.
  virtual void Acknowledge(const v1::AcknowledgeEventsRequest& request, AcknowledgeCallback done) = 0;

  // How far this share is. Of the lag's age and the cursor nothing: they are the log's to tell.
  state::v1::ShareStats ReadStats() ABSL_LOCKS_EXCLUDED(mutex_);
  const std::shared_ptr<SubscriptionMetrics::Series>& series() const { return series_; }

  // Puts back those of the parked events that it has. Mode SHARED; blocks. Errors: SUBSCRIPTION_MODE,
  // STORE_UNAVAILABLE.
  virtual absl::StatusOr<uint64_t> ReplayParked(const v1::ReplayParkedEventsRequest& request);

  // Mode CURSOR: a consumer asks for it by force, and another replica has it.
  virtual bool wants_by_force() const { return false; }

  // Ends every consumer with a Drain frame; what is outstanding goes back uncounted.
  void Drain() ABSL_LOCKS_EXCLUDED(mutex_);

  // It was moved to another place of the log, or its share is another replica's: drains, and writes nothing any more.
  void Leave(absl::string_view reason) ABSL_LOCKS_EXCLUDED(mutex_);

  // The subscription is deleted, or the gateway stops: ends every consumer with `status`, writes nothing any more.
  void End(const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);

  // True after Leave and End, and when another replica took the share over: whoever finds it so loads it anew.
  bool ended() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Notes that events up to and with `kept_after` were lost before they could be delivered.
  void NoteLoss(uint64_t after, uint64_t kept_after) ABSL_LOCKS_EXCLUDED(mutex_);

 protected:
  // What one critical section leaves to be done outside the lock.
  using Actions = std::vector<absl::AnyInvocable<void() &&>>;
  static void Perform(Actions actions);

  // Does whatever can be done now. Whatever changes calls it.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);

  // The next round of writes, when there is something to write and none is on its way.
  void WriteWhatIsDue(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True while this replica may hand its events out.
  bool MayHandOut() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Calls `done` after the next complete round.
  void WhenDurable(absl::AnyInvocable<void(absl::Status) &&> done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TouchRelaxed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { relaxed_dirty_ = true; }

  // What the modes fill in. The lock is held.
  virtual absl::Status CheckMode(const ConsumerSpec& spec) const = 0;  // not under the lock
  virtual void Collect(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // What is kept beside the blocks.
  virtual state::v1::SubscriptionShare ShareRecord() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Writes that must be durable before the others of the same round.
  virtual std::vector<StateWrite> TakeFirstWrites() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return {}; }
  virtual void FirstWritten(bool) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}
  // Writes beside the position.
  virtual std::vector<StateWrite> TakeWrites() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return {}; }
  // Whether the round of those writes must be durable though nobody waits for it.
  virtual bool MustBeDurable() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return false; }
  // What became of them; `recorded`: the position beside them is written.
  virtual void Written(bool /*recorded*/, const std::vector<absl::StatusOr<uint64_t>>&)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}
  virtual bool HasWrites() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return false; }
  // `reason`: of the Drain frame.
  virtual void DrainConsumers(absl::string_view reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void EndConsumers(const absl::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void FillStats(state::v1::ShareStats& share) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;

  absl::Status ModeError(absl::string_view what) const;
  absl::Status DrainStatus(absl::string_view reason) const;
  // A Drain frame with a wait of its own.
  Frame MakeDrain(absl::string_view reason, absl::string_view resume_cursor) const;
  Frame MakeStarted(const std::string& stream_id) const;
  std::string CursorAt(const Position& position) const;
  // The log no longer has what comes after `after`: counts it, and makes the frame that says so.
  v1::Gap NoteGap(uint64_t after, uint64_t kept_after) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const SubscriptionContext& context_;
  const state::v1::SubscriptionRecord record_;
  const EventSelection selection_;  // what its filter matches, of what its caller may see
  const std::string share_key_;
  const std::shared_ptr<SubscriptionMetrics::Series> series_;
  const uint64_t log_epoch_;

  mutable absl::Mutex mutex_;
  uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  Assignment assignment_ ABSL_GUARDED_BY(mutex_);
  absl::Status end_ ABSL_GUARDED_BY(mutex_);                   // not OK: ended
  std::optional<v1::Gap> untold_gap_ ABSL_GUARDED_BY(mutex_);  // nobody was there to hear of it

 private:
  using Waiter = absl::AnyInvocable<void(absl::Status) &&>;

  void IssueFirst(std::vector<StateWrite> writes) ABSL_LOCKS_EXCLUDED(mutex_);
  void Issue(std::vector<StateWrite> writes, StateStore::Durability durability) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFirstWritten(const std::vector<absl::StatusOr<uint64_t>>& results) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(const std::vector<absl::StatusOr<uint64_t>>& results) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteState(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PauseWrites(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  uint64_t term_ ABSL_GUARDED_BY(mutex_) = 0;      // of the roster, in which the assignment was last read
  uint64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;  // of the share's record
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;         // after a failure
  bool relaxed_dirty_ ABSL_GUARDED_BY(mutex_) = false;  // something to write that nobody waits for
  bool relaxed_timer_ ABSL_GUARDED_BY(mutex_) = false;
  bool relaxed_due_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiter> written_waiters_ ABSL_GUARDED_BY(mutex_);  // of the round that is on its way
};

}  // namespace aulm::gateway
