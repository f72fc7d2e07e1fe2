#pragma once

#include <cstdint>
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
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/events/event_hub.h"
#include "service/events/event_stream.h"
#include "service/events/frame_source.h"
#include "service/events/subscriptions/ack_token.h"
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
  EventStreamContext streams;  // of mode CURSOR
  std::string owner;           // this replica
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

// One durable subscription as its owner works on it: a state machine under one mutex that hands events to consumers and
// keeps in the store how far they are. What is to be kept is written in rounds, one at a time: whatever came up while
// one was on its way goes with the next, so that many acknowledgements share a commit. Each round rewrites the position
// by compare-and-set: when another replica has taken the subscription over (and raised the epoch), the round fails and
// this object ends. Derived classes are the two modes. Thread-safe.
class DurableSubscription : public std::enable_shared_from_this<DurableSubscription> {
 public:
  using AcknowledgeCallback = absl::AnyInvocable<void(absl::StatusOr<v1::AcknowledgeEventsResponse>) &&>;

  DurableSubscription(const SubscriptionContext& context, const state::v1::SubscriptionRecord& record);
  virtual ~DurableSubscription() = default;

  const std::string& name() const { return record_.specification().name(); }
  const std::string& id() const { return record_.id(); }
  const state::v1::SubscriptionRecord& record() const { return record_; }

  // Takes the subscription over: raises the epoch, reads what is kept. Before anything else, once. Blocks on the store:
  // for the registry's own thread. Errors: STORE_UNAVAILABLE; ABORTED when another replica was faster.
  absl::Status Load();

  // A consumer, which waits for its Start. Errors: SUBSCRIPTION_MODE, when the request is for the other mode.
  absl::StatusOr<std::shared_ptr<FrameSource>> AddConsumer(const ConsumerSpec& spec);

  // A consumer's calls, from its ConsumerStream.
  virtual uint64_t Join(const ConsumerSpec& spec, const std::string& stream_id) = 0;
  virtual void Next(uint64_t consumer, FrameSource::FrameCallback done) = 0;
  virtual void Leave(uint64_t consumer) = 0;
  virtual FrameSource::Totals TotalsOf(uint64_t consumer) const = 0;

  // Answers when what it did is durable, on a thread that must not block. Errors: SUBSCRIPTION_MODE, INVALID_FIELD,
  // CURSOR_INVALID, CURSOR_EXPIRED, STORE_UNAVAILABLE.
  virtual void Acknowledge(const v1::AcknowledgeEventsRequest& request, AcknowledgeCallback done) = 0;

  // Goes on from `position`, forgets what is outstanding and drains the consumers. Blocks. Error: STORE_UNAVAILABLE.
  absl::Status Seek(const Position& position);

  // From memory, but for the lag's age and the cursor, for which it reads the log: blocks.
  v1::SubscriptionStats ReadStats();

  // Mode SHARED; block. Errors: SUBSCRIPTION_MODE, STORE_UNAVAILABLE.
  virtual absl::StatusOr<v1::ListParkedEventsResponse> ListParked(const v1::ListParkedEventsRequest& request);
  virtual absl::StatusOr<uint64_t> ReplayParked(const v1::ReplayParkedEventsRequest& request);

  // Ends every consumer with a Drain frame; what is outstanding goes back uncounted.
  virtual void Drain() = 0;

  // The subscription is deleted: ends every consumer with `status`, writes nothing any more.
  void End(const absl::Status& status);

  // True once it was deleted or taken over by another replica: whoever finds it so loads it anew.
  bool ended() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Blocks until nothing is left to be written, or `limit` has passed.
  void AwaitWrites(absl::Duration limit) ABSL_LOCKS_EXCLUDED(mutex_);

 protected:
  // What one critical section leaves to be done outside the lock.
  using Actions = std::vector<absl::AnyInvocable<void() &&>>;
  static void Perform(Actions actions);

  // Does whatever can be done now. Whatever changes calls it.
  void Advance() ABSL_LOCKS_EXCLUDED(mutex_);

  // The next round of writes, when there is something to write and none is on its way.
  void WriteWhatIsDue(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // Calls `done` after the next complete round.
  void WhenDurable(absl::AnyInvocable<void(absl::Status) &&> done) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TouchRelaxed() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { relaxed_dirty_ = true; }

  // What the modes fill in. The lock is held.
  virtual absl::Status CheckMode(const ConsumerSpec& spec) const = 0;  // not under the lock
  virtual void Collect(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual absl::Status RestoreFrom(const state::v1::SubscriptionPosition& position) = 0;  // blocks; not under the lock
  virtual Position Floor() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  // Writes that must be durable before the others of the same round.
  virtual std::vector<StateWrite> TakeFirstWrites() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return {}; }
  virtual void FirstWritten(bool) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}
  // Writes beside the position.
  virtual std::vector<StateWrite> TakeWrites() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return {}; }
  virtual void Written(const std::vector<absl::StatusOr<uint64_t>>&) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {}
  virtual bool HasWrites() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return false; }
  virtual void MoveTo(const Position& position) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void AfterSeek(uint64_t) {}  // clears away what was of the generation before; blocks
  virtual void EndConsumers(const absl::Status& status, bool with_drain) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;
  virtual void FillStats(v1::SubscriptionStats& stats) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) = 0;

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
  const std::shared_ptr<SubscriptionMetrics::Series> series_;
  const uint64_t log_epoch_;

  mutable absl::Mutex mutex_;
  uint64_t epoch_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t generation_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status end_ ABSL_GUARDED_BY(mutex_);                   // not OK: ended
  std::optional<v1::Gap> untold_gap_ ABSL_GUARDED_BY(mutex_);  // nobody was there to hear of it

 private:
  using Waiter = absl::AnyInvocable<void(absl::Status) &&>;

  void IssueFirst(std::vector<StateWrite> writes) ABSL_LOCKS_EXCLUDED(mutex_);
  // `generation`: of the time at which the writes were taken.
  void Issue(std::vector<StateWrite> writes, StateStore::Durability durability, uint64_t generation)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnFirstWritten(const std::vector<absl::StatusOr<uint64_t>>& results) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnWritten(const std::vector<absl::StatusOr<uint64_t>>& results, uint64_t generation) ABSL_LOCKS_EXCLUDED(mutex_);
  void WriteState(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PauseWrites(Actions& actions) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  std::string EncodedPosition() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  uint64_t revision_ ABSL_GUARDED_BY(mutex_) = 0;  // of the position
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool paused_ ABSL_GUARDED_BY(mutex_) = false;         // after a failure
  bool relaxed_dirty_ ABSL_GUARDED_BY(mutex_) = false;  // something to write that nobody waits for
  bool relaxed_timer_ ABSL_GUARDED_BY(mutex_) = false;
  bool relaxed_due_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Waiter> waiters_ ABSL_GUARDED_BY(mutex_);
  std::vector<Waiter> written_waiters_ ABSL_GUARDED_BY(mutex_);  // of the round that is on its way
};

}  // namespace aulm::gateway
