#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Which events of a subscription are parked, on their way there or on their way back, and what has to be written for
// that: what is needed to find and to count them, never the events. An event is parked in two steps: its record is made
// durable (TakeRecords), then the ledger is told. Not thread-safe.
class ParkedEvents {
 public:
  // `retention`: how long a record is kept.
  ParkedEvents(std::string subscription_id, absl::Duration retention)
      : id_(std::move(subscription_id)), retention_(retention) {}

  // Takes in what the store has.
  void Restore(const state::v1::ParkedRecord& record);

  // To be parked.
  void Order(const SharedLedger::ParkOrder& order) { orders_.push_back({order}); }
  bool has_orders() const { return !orders_.empty(); }
  // The records of what is to be parked, to be made durable.
  std::vector<StateWrite> TakeRecords(uint64_t generation, absl::Time now);
  // What became of them. Those that are parked now, for the ledger; after a failure they are taken again.
  std::vector<SharedLedger::ParkOrder> RecordsWritten(bool ok);

  // Puts a parked event, whose record says so already, on its way back.
  void Replay(const state::v1::ParkedRecord& record);
  // A replay is done with, or needs no delivery of its own: its record can go.
  void Finish(uint64_t sequence);
  bool ParkedAgain(uint64_t sequence) const { return parked_.contains(sequence); }

  bool has_deletions() const { return !deletions_.empty(); }
  std::vector<StateWrite> TakeDeletions();
  // What became of them, at the same index.
  void DeletionsWritten(absl::Span<const absl::StatusOr<uint64_t>> results);

  // Forgets what is of these partitions: it is another replica's now.
  void Forget(PartitionSet partitions);

  // Forgets what the store has let go by now.
  void Expire(absl::Time now);
  size_t size() const { return parked_.size(); }

 private:
  struct Known {
    int64_t parked_ms = 0;  // since when
    uint64_t conversation = 0;
  };

  struct Ordered {
    SharedLedger::ParkOrder order;
    int64_t parked_ms = 0;  // once a record was made: the store may have that, though it did not say so
  };

  void Park(uint64_t sequence, uint64_t conversation, int64_t parked_ms);
  void Unpark(uint64_t sequence);

  std::string id_;
  absl::Duration retention_;
  absl::flat_hash_map<uint64_t, Known> parked_;
  absl::btree_set<std::pair<int64_t, uint64_t>> by_time_;
  absl::flat_hash_map<uint64_t, Known> replaying_;
  std::vector<Ordered> orders_;
  std::vector<Ordered> writing_;        // on their way
  std::vector<std::string> deletions_;  // keys
  std::vector<std::string> deleting_;   // on their way
};

}  // namespace aulm::gateway
