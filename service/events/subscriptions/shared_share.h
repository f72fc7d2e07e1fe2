#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "service/events/subscriptions/ack_blocks.h"
#include "service/events/subscriptions/parked_events.h"
#include "service/events/subscriptions/partitions.h"
#include "service/events/subscriptions/share_records.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// What this replica has of a SHARED subscription: the ledger of its partitions, and its parked events. Lets partitions
// come and go, and says what has to be written; reads and writes nothing itself. Not thread-safe.
class SharedShare {
 public:
  SharedShare(const std::string& subscription_id, const SharedLedger::Rules& rules, const SharedLedger::Limits& limits,
              absl::Duration parked_retention)
      : id_(subscription_id), ledger_(rules, limits), parked_(subscription_id, parked_retention) {}

  SharedLedger& ledger() { return ledger_; }
  const SharedLedger& ledger() const { return ledger_; }

  // Partitions that come: Reserve, and once that is durable Hold, or Abandon.
  void Reserve(PartitionSet partitions, const ShareContent& content,
               const std::vector<state::v1::ParkedRecord>& parked);
  void Hold(PartitionSet partitions);
  void Abandon(PartitionSet partitions);

  // Partitions that go: Withhold (which of them can go now), ContentOf, Forget.
  PartitionSet Withhold(PartitionSet partitions);
  ShareContent ContentOf(PartitionSet partitions) const;
  void Forget(PartitionSet partitions);
  // True when withheld partitions can go of which that was not told yet.
  bool BecameQuiet();

  // Takes what the ledger wants parked, and which replays are done with.
  void TakeParks();
  // Puts a parked event back whose record says so already.
  void Replay(const state::v1::ParkedRecord& record);
  // As the store has it.
  size_t CountParked(absl::Time now);

  // A round of writes: the share's record, before which goes TakeFirstWrites, and beside which TakeWrites.
  bool HasWrites() const;
  state::v1::SubscriptionShare Record() const;
  std::vector<StateWrite> TakeFirstWrites(uint64_t generation, absl::Time now);
  // What is parked now.
  std::vector<SharedLedger::ParkOrder> FirstWritten(bool ok);
  std::vector<StateWrite> TakeWrites(const std::string& share_key);
  // Whether the record must be durable though nobody waits for it: what it says no more is deleted next.
  bool MustBeDurable() const { return ledger_.blocks().has_leaving(); }
  // `recorded`: so is the record.
  void Written(bool recorded, const std::vector<absl::StatusOr<uint64_t>>& results);

 private:
  const std::string id_;
  SharedLedger ledger_;
  ParkedEvents parked_;
  std::vector<state::v1::ParkedRecord> reserved_parked_;  // until Hold
  PartitionSet quiet_told_ = kNoPartitions;               // partitions that can go, as far as was told
  // Of the round that is on its way: rows of blocks; deletions of parked records follow them.
  std::vector<AckBlocks::Row> rows_;
};

}  // namespace aulm::gateway
