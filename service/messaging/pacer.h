#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/pacing_record.pb.h"
#include "prometheus/counter.h"
#include "prometheus/histogram.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/config/pace.h"
#include "service/messaging/recent_peers.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Lets each session's sends through at its pace: a generic cell rate algorithm whose one timestamp lives in the state
// store, so that all replicas of a store share it, with a daily limit and a warm-up ramp. Answers to people who wrote
// lately have a faster lane of their own. Sends wait here, in a queue for each session and lane, fair among callers; a
// slot is taken from the store only when its time has come, for the first in the queue, so that a caller who leaves
// costs none. Thread-safe; never blocks.
class Pacer {
 public:
  // Called once, on a thread of the store's or the clock's, or inside Wait. OK: send now. Otherwise nothing was sent:
  // PACED with RetryInfo, STORE_UNAVAILABLE.
  using Ready = absl::AnyInvocable<void(absl::Status) &&>;
  // Names a waiting send. 0 names none.
  using Ticket = uint64_t;

  struct Turn {
    std::string account;
    std::string session_id;
    std::string to;
    std::string caller;
    absl::Time answer_by;
  };

  // All outlive the pacer, and no wait is under way when it goes. Adds the histogram aulm_pacing_wait_seconds{lane} of
  // sends that were let through, and the counter aulm_pacing_refused_total{reason}.
  Pacer(Paces paces, const RecentPeers& recent, StateStore& store, Clock& clock, Random& random,
        prometheus::Registry& registry);

  // Asks for a slot. A slot that lies beyond `answer_by`, or further away than max_wait, is refused at once, as far as
  // this replica knows who is before; another replica, or another caller whose turn comes first, may push it back.
  Ticket Wait(const Turn& turn, Ready ready) ABSL_LOCKS_EXCLUDED(mutex_);

  // The caller has gone: its place is free, and `ready` is dropped without being called. False when it was called
  // already, or is being called.
  bool Leave(Ticket ticket) ABSL_LOCKS_EXCLUDED(mutex_);

  // Sends that wait, in all sessions.
  size_t waiting() const ABSL_LOCKS_EXCLUDED(mutex_);

  // How one session stands in one lane, as far as this replica knows.
  struct Lane {
    std::string account;
    std::string session_id;  // lower case
    bool replies = false;
    size_t waiting = 0;
    absl::Time next_slot;     // in the past: a send would go at once
    int64_t sent_today = 0;   // the UTC day's, over both lanes
    int64_t limit_today = 0;  // 0: none
  };
  // To look at: at most so many, those on which sends wait before others that were used lately, else in no order.
  std::vector<Lane> Lanes(size_t most) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    Ticket ticket;
    absl::Time latest;       // beyond it the slot is of no use
    absl::Duration spacing;  // from its slot to the next: the interval and its jitter, drawn when it came
    absl::Time since;
    Ready ready;
  };
  // One session in one lane.
  struct Queue {
    std::string key;  // in the store
    std::string account;
    const Pace* pace;
    bool replies;  // which lane
    // Round robin over callers: each has its own line, `turn` is the one whose first goes next.
    std::map<std::string, std::deque<Waiter>> lines;
    std::string turn;
    size_t size = 0;
    absl::Duration spacing;  // of all who wait
    bool busy = false;       // a read or a write of the store is under way, or the timer of the next one is set
    bool known = false;      // record and revision are what the store had when it was last asked
    aulm::gateway::state::v1::PacingRecord record;
    uint64_t revision = 0;

    absl::Duration interval() const { return replies ? pace->reply_interval : pace->interval; }
    absl::Time arrival() const;
    void set_arrival(absl::Time time);
    // When the session may send next, by the record.
    absl::Time Slot() const;
    // When whoever comes now may send, behind all who wait. Somebody of another caller who comes later may go before.
    absl::Time SlotBehindAll(absl::Time now) const;
    // Who goes next.
    std::map<std::string, std::deque<Waiter>>::iterator NextLine();
    // What is left to wait until the day's limit begins anew; zero while it is not reached, with `ahead` more sends.
    absl::Duration UntilLimitEnds(absl::Time now, size_t ahead) const;
    Waiter TakeNext();
    // Those for whom a slot at `slot` comes too late.
    std::vector<Waiter> TakeHopeless(absl::Time slot);
    std::vector<Waiter> TakeAll();
  };
  using Queues = absl::flat_hash_map<std::string, std::shared_ptr<Queue>>;

  // The rounds of a busy queue: read the record where it is not known, wait for the slot, write it, let the first go.
  void Serve(const std::shared_ptr<Queue>& queue) ABSL_LOCKS_EXCLUDED(mutex_);
  void Reserve(const std::shared_ptr<Queue>& queue) ABSL_LOCKS_EXCLUDED(mutex_);
  void OnRead(const std::shared_ptr<Queue>& queue, absl::StatusOr<std::optional<StateEntry>> entry)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void OnReserved(const std::shared_ptr<Queue>& queue, aulm::gateway::state::v1::PacingRecord record,
                  absl::StatusOr<uint64_t> revision) ABSL_LOCKS_EXCLUDED(mutex_);
  void RefuseAll(const std::shared_ptr<Queue>& queue, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mutex_);
  void Forget(const std::vector<Waiter>& waiters) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  std::shared_ptr<Queue> QueueOf(const Turn& turn, const Pace& pace, bool replies)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Paces paces_;
  const RecentPeers& recent_;
  StateStore& store_;
  Clock& clock_;
  Random& random_;
  prometheus::Histogram& cold_wait_;
  prometheus::Histogram& reply_wait_;
  prometheus::Counter& too_late_;
  prometheus::Counter& day_is_full_;

  mutable absl::Mutex mutex_;
  Queues queues_ ABSL_GUARDED_BY(mutex_);
  // Where a ticket waits: the queue and the caller's line.
  absl::flat_hash_map<Ticket, std::pair<std::shared_ptr<Queue>, std::string>> tickets_ ABSL_GUARDED_BY(mutex_);
  Ticket next_ticket_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace aulm::gateway
