#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.pb.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// One delivery, as its consumer saw it.
struct Seen {
  std::string token;
  std::string event;
  std::string conversation;
  uint64_t consumer = 0;
  std::string replica;
  absl::Time decided;       // when the replica handed it out
  uint64_t arrived = 0;     // counts what happened
  bool gone = false;        // its consumer left or was told to go: it may come again
  bool returned = false;    // the replica knows that: a settlement can have no effect any more
  bool superseded = false;  // it came again: likewise
  bool settling = false;    // it may be settled, or have been refused
};

// What the consumers of a SHARED subscription on several replicas saw, held against what they were promised: nothing
// that is settled comes again, a conversation's events come in their order, one of them is outstanding at a time, no
// stale settlement takes effect, and a replica hands nothing out without a lease. Each delivery is judged by when it
// was handed out, not by when it came: so a frame that was under way when its consumer left or its replica lost its
// lease is excused from what happened afterwards, and from nothing else. Failures are the test's. Thread-safe.
class ReplicasHistory {
 public:
  struct Rules {
    absl::Duration ack_deadline;
    absl::Duration retry_delay;  // after a deadline that passed
    absl::Duration lease;        // others take over when the last renewal is so long ago
    absl::Duration own_lease;    // the replica itself stops handing out then
  };

  // The clock outlives it.
  ReplicasHistory(const Clock& clock, const Rules& rules) : clock_(clock), rules_(rules) {}

  void Appended(const std::string& event, const std::string& conversation) ABSL_LOCKS_EXCLUDED(mutex_);

  // `decided`: the replica's time when it handed the event out.
  void Came(const v1::Delivery& delivery, uint64_t consumer, const std::string& replica, absl::Time decided)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // The consumer is about to leave, or was told to go.
  void Gone(uint64_t consumer) ABSL_LOCKS_EXCLUDED(mutex_);
  // Its replica knows.
  void Returned(uint64_t consumer) ABSL_LOCKS_EXCLUDED(mutex_);
  // The replica's lease is about to be renewed in the store. Never heard of again once it is dead or cut off.
  void Renewed(const std::string& replica) ABSL_LOCKS_EXCLUDED(mutex_);

  // What a settlement was when the gateway was asked.
  struct Asked {
    Seen seen;
    v1::SettlementAction action = v1::SETTLEMENT_ACTION_UNSPECIFIED;
    bool stale = false;  // for certain: it can have no effect
  };
  // Before the gateway is asked: from then on it may be so.
  Asked Settling(const Seen& which, v1::SettlementAction action) ABSL_LOCKS_EXCLUDED(mutex_);
  void Settled(const Asked& asked, const absl::StatusOr<v1::AcknowledgeEventsResponse>& answer)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // A delivery to be settled: one that is outstanding, or any.
  std::optional<Seen> Pick(std::mt19937_64& chance, bool any) ABSL_LOCKS_EXCLUDED(mutex_);
  // What nobody has settled, and did not come again.
  std::vector<Seen> Unsettled() const ABSL_LOCKS_EXCLUDED(mutex_);
  // True when every event was settled, or perhaps.
  bool Complete() const ABSL_LOCKS_EXCLUDED(mutex_) { return Missing().empty(); }
  // Those that were not.
  std::string Missing() const ABSL_LOCKS_EXCLUDED(mutex_);
  // Waits a moment for more to come: only so that time does not run away from the gateways' threads.
  void AwaitArrival() ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Done {
    absl::Time time;
    uint64_t at = 0;
  };
  // A time without a lease: others may have what the replica had.
  struct Lapse {
    absl::Time from;  // since the last renewal before it
    absl::Time to;    // the renewal that ended it
  };

  void Check(const Seen& seen, uint64_t until) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True when whoever had `seen` may have lost it by `when`.
  bool IsOver(const Seen& seen, absl::Time when) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // When others may first have thought the replica dead, after `since`.
  absl::Time LostAfter(const std::string& replica, absl::Time since) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  bool HasLease(const std::string& replica, absl::Time when) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const Rules rules_;
  mutable absl::Mutex mutex_;
  uint64_t happened_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::vector<std::string>> order_ ABSL_GUARDED_BY(mutex_);  // conversation → events
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> perhaps_ ABSL_GUARDED_BY(mutex_);  // event → settlements that were not told STALE
  std::map<std::string, Done> done_ ABSL_GUARDED_BY(mutex_);    // settled for certain
  std::map<uint64_t, uint64_t> gone_ ABSL_GUARDED_BY(mutex_);   // consumer → when, as happened_ counts
  std::set<uint64_t> returned_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, absl::Time> renewed_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<Lapse>> lapses_ ABSL_GUARDED_BY(mutex_);
  uint64_t arrivals_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace aulm::gateway
