#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "service/events/subscriptions/ack_blocks.h"
#include "service/events/subscriptions/partitions.h"

namespace aulm::gateway {

// An event that a subscription selects, as far as the ledger cares.
struct FoundEvent {
  uint64_t sequence = 0;
  uint64_t conversation = 0;  // a hash of (account, session, peer): conversations that collide share their turns
};

// One event handed to one consumer.
struct Handout {
  uint64_t consumer = 0;
  uint64_t sequence = 0;
  uint64_t delivery = 0;  // a number that no other handing out of this ledger has
  uint32_t attempt = 0;   // from 1
};

// The rules of mode SHARED, without I/O: which conversation's event may go to which consumer, what a settlement does,
// when a delivery is overdue, what is parked, how far the floor is. It is for some partitions of the subscription's
// conversations, which come (Reserve, Hold) and go (Withhold, PartOf, Forget). It holds positions, never events: at
// most a window of them, and of a conversation that is held up while others could go on only the first few; the rest is
// found in the log again when its turn comes (RefillAfter). Whoever uses it does the reading, the writing of blocks()
// and of parked events, and the locking. Times are given, never asked for.
class SharedLedger {
 public:
  struct Rules {
    absl::Duration ack_deadline = absl::Seconds(30);
    uint32_t max_attempts = 10;
    absl::Duration retry_delay = absl::Seconds(1);
  };
  struct Limits {
    size_t window = 32768;             // positions held
    size_t conversation_window = 256;  // of one conversation, once the window is full of it
    size_t ready = 1024;               // no further reading while so many conversations could be handed out
  };
  enum class Action { kAck, kRetry, kPark, kSkip, kExtend };

  // An event on its way to being parked: to be made durable, then reported with Parked.
  struct ParkOrder {
    uint64_t sequence = 0;
    uint64_t conversation = 0;
    uint32_t attempts = 0;
    v1::ParkReason reason = v1::PARK_REASON_UNSPECIFIED;
  };

  // What happened since the ledger was made, for metrics.
  struct Counts {
    uint64_t redeliveries = 0;
    uint64_t missed_deadlines = 0;
  };

  // How far some partitions are: everything of one up to its floor is settled, and so is what `blocks` says.
  struct Part {
    explicit Part(uint64_t floor) : blocks(floor) { floors.fill(floor); }

    PartitionFloors floors;
    AckBlocks blocks;
  };

  // For no partition yet.
  SharedLedger(const Rules& rules, const Limits& limits) : rules_(rules), limits_(limits), blocks_(UINT64_MAX) {
    floors_.fill(0);
    scanned_.fill(0);
  }

  // Takes in how far `partitions`, which it does not have, are. They still are somebody else's: until Hold, what is
  // known of them is only kept, in blocks() and floors().
  void Reserve(PartitionSet partitions, const Part& part);
  // They are its own now. The log is read again from the lowest of their floors.
  void Hold(PartitionSet partitions);
  // What was reserved was not to be had.
  void Abandon(PartitionSet partitions);

  // Hands out nothing more of `partitions`, which are to go.
  void Withhold(PartitionSet partitions);
  // They stay after all.
  void Resume(PartitionSet partitions);
  // Those withheld of which nothing is outstanding or on its way to being parked: they can go.
  PartitionSet Quiet() const;
  // How far `partitions` are.
  Part PartOf(PartitionSet partitions) const;
  // They are gone.
  void Forget(PartitionSet partitions);

  PartitionSet held() const { return held_; }
  PartitionSet withheld() const { return withheld_; }
  bool Holds(uint64_t conversation) const { return Contains(held_, PartitionOf(conversation)); }

  // What is to be kept of the events above the floor.
  AckBlocks& blocks() { return blocks_; }
  const AckBlocks& blocks() const { return blocks_; }
  // Of the partitions that it holds or has reserved: where their own floors are higher than that of blocks().
  const PartitionFloors& floors() const { return floors_; }
  PartitionSet kept() const { return held_ | reserved_; }

  // Everything up to here was taken in; UINT64_MAX when it holds nothing.
  uint64_t scanned() const { return scanned_through_; }

  // Events up to `head` that are stored and not settled, those included that were not looked at yet: of the latter it
  // counts the part that its partitions should make up.
  uint64_t Lag(uint64_t head) const;

  // True when events after scanned() should be read. `demand`: a consumer waits with nothing to give it; then a window
  // that is full of conversations that are held up makes room.
  bool WantsMore(bool demand);

  // The selected events of the log in (scanned(), through], in order. What is settled already is passed over.
  void TakeIn(absl::Span<const FoundEvent> found, uint64_t through, absl::Time now);

  // After which sequence the log should be read once more, for conversations whose later events were let go.
  std::optional<uint64_t> RefillAfter() const;

  // The selected events of the log in (after, through], in order.
  void Refill(absl::Span<const FoundEvent> found, uint64_t after, uint64_t through);

  // The log keeps nothing up to `sequence` any more: lets go of what is there and not outstanding.
  void ForgetThrough(uint64_t sequence);

  // Delivers an event once more that was parked, with attempts counted anew. Its partition must be held. False when it
  // is neither settled nor passed by the floor, or under way already: then it needs no replay.
  bool Replay(const FoundEvent& event);

  void Join(uint64_t consumer, size_t max_outstanding);
  // Hands back what the consumer has; without `counted` as if it had never had it.
  void Leave(uint64_t consumer, absl::Time now, bool counted);

  // A consumer that can take so many events now.
  struct Room {
    uint64_t consumer = 0;
    size_t events = 0;
  };
  // Hands out what can be, each event to the consumer that has least; each conversation is served once in turn.
  std::vector<Handout> Spread(absl::Span<const Room> rooms, absl::Time now);

  // True when the delivery was outstanding; else it is stale and nothing is done. `delay`: of kRetry and kExtend;
  // nullopt for the subscription's own.
  bool Settle(uint64_t sequence, uint64_t delivery, Action action, std::optional<absl::Duration> delay, absl::Time now);

  // The bytes of an event could not be had: hands it back as if it had never been handed out, not before `due`.
  void Return(uint64_t sequence, uint64_t delivery, absl::Time due, absl::Time now);
  // The log no longer has it.
  void Lose(uint64_t sequence, uint64_t delivery);

  // Does what is due: deadlines that passed, retries whose delay is over.
  void Tick(absl::Time now);
  // When Tick has something to do; infinite future when nothing waits for a time.
  absl::Time NextDue() const;

  std::vector<ParkOrder> TakeParks() { return std::exchange(parks_, {}); }
  void Parked(uint64_t sequence);
  // Replayed events that are done with: their parked records can go.
  std::vector<uint64_t> TakeFinishedReplays() { return std::exchange(finished_replays_, {}); }
  bool has_parks() const { return !parks_.empty(); }
  bool has_finished_replays() const { return !finished_replays_.empty(); }

  bool has_ready() const { return !ready_.empty(); }
  size_t positions() const { return entries_.size(); }
  size_t outstanding() const { return outstanding_; }
  size_t outstanding_of(uint64_t consumer) const;
  // When the oldest outstanding delivery was handed out; infinite future when there is none.
  absl::Time OldestOutstanding() const;
  const Counts& counts() const { return counts_; }

 private:
  enum class State { kQueued, kOutstanding, kWaiting, kParking };

  struct Entry {
    uint64_t conversation = 0;
    State state = State::kQueued;
    bool replay = false;
    uint32_t attempts = 0;
    uint64_t consumer = 0;
    uint64_t delivery = 0;
    absl::Time handed_out;
    absl::Time due;  // kOutstanding: the deadline; kWaiting: when it is ready again
  };

  struct Conversation {
    absl::btree_set<uint64_t> queue;  // what is held of it, the busy one included
    uint64_t busy = 0;                // outstanding or waiting for its time; 0: none
    bool in_ready = false;
    uint64_t spilled_from = 0;  // its events from here on were let go; 0: none
    uint64_t spilled = 0;       // how many
  };

  struct Consumer {
    size_t max_outstanding = 0;
    uint64_t last_served = 0;
    absl::flat_hash_set<uint64_t> outstanding;
  };

  bool IsSettled(const FoundEvent& event) const;
  uint32_t& UnderWay(const Entry& entry) { return under_way_[static_cast<size_t>(PartitionOf(entry.conversation))]; }
  void NoteScanned();
  void Track(const FoundEvent& event, absl::Time now);
  void Drop(uint64_t sequence);
  void Spill();
  void SetSpilled(uint64_t hash, Conversation& conversation, uint64_t from);
  // The conversation may have something to hand out, or nothing left at all.
  void Settled(uint64_t hash);
  // Takes an outstanding or waiting event from its consumer and its timer.
  void Release(uint64_t sequence, Entry& entry);
  void Finish(uint64_t sequence);
  void HandBack(uint64_t sequence, absl::Time due, absl::Time now, bool counted);
  void Park(uint64_t sequence, v1::ParkReason reason);
  Handout HandOut(uint64_t hash, uint64_t consumer, absl::Time now);
  Entry* Outstanding(uint64_t sequence, uint64_t delivery);
  void RaiseFloor();

  const Rules rules_;
  const Limits limits_;
  AckBlocks blocks_;
  PartitionSet held_ = kNoPartitions;
  PartitionSet reserved_ = kNoPartitions;
  PartitionSet withheld_ = kNoPartitions;  // of held_
  PartitionFloors floors_;                 // what a partition came with, or had when the common floor fell
  PartitionFloors scanned_;                // of the partitions that it holds: everything up to here was taken in
  uint64_t scanned_through_ = UINT64_MAX;  // the lowest of scanned_
  std::array<uint32_t, kPartitions> under_way_{};  // outstanding, or on the way to being parked
  uint64_t spilled_events_ = 0;
  uint64_t last_delivery_ = 0;
  uint64_t served_ = 0;
  size_t outstanding_ = 0;
  absl::flat_hash_map<uint64_t, Entry> entries_;
  absl::btree_set<uint64_t> unsettled_;  // of entries_, replays aside: what holds the floor
  absl::flat_hash_map<uint64_t, Conversation> conversations_;
  absl::btree_set<std::pair<uint64_t, uint64_t>> spilled_;  // Conversation::spilled_from, hash
  std::deque<uint64_t> ready_;                              // hashes; each at most once
  absl::btree_set<std::pair<absl::Time, uint64_t>> due_;
  absl::flat_hash_map<uint64_t, Consumer> consumers_;
  std::vector<ParkOrder> parks_;
  std::vector<uint64_t> finished_replays_;
  Counts counts_;
};

}  // namespace aulm::gateway
