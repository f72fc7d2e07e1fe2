#include "service/events/subscriptions/shared_share.h"

#include <utility>

#include "absl/types/span.h"

namespace aulm::gateway {

void SharedShare::Reserve(PartitionSet partitions, const ShareContent& content,
                          const std::vector<state::v1::ParkedRecord>& parked) {
  ledger_.Reserve(partitions, content.part);
  reserved_parked_ = parked;
}

void SharedShare::Hold(PartitionSet partitions) {
  ledger_.Hold(partitions);
  const std::vector<state::v1::ParkedRecord> records = std::exchange(reserved_parked_, {});
  for (const state::v1::ParkedRecord& record : records) parked_.Restore(record);
  for (const state::v1::ParkedRecord& record : records) {
    if (!record.replaying()) continue;
    // Parked again before it was settled: that record stands. What the log will give anyway needs no replay.
    const bool again = parked_.ParkedAgain(record.sequence());
    if (again || !ledger_.Replay({record.sequence(), record.conversation()})) parked_.Finish(record.sequence());
  }
}

void SharedShare::Abandon(PartitionSet partitions) {
  ledger_.Abandon(partitions);
  reserved_parked_.clear();
}

PartitionSet SharedShare::Withhold(PartitionSet partitions) {
  ledger_.Withhold(partitions);
  quiet_told_ = ledger_.Quiet();
  return quiet_told_ & partitions;
}

ShareContent SharedShare::ContentOf(PartitionSet partitions) const {
  ShareContent content;
  content.part = ledger_.PartOf(partitions);
  content.record = ToRecord(content.part.blocks, content.part.floors, partitions);
  return content;
}

void SharedShare::Forget(PartitionSet partitions) {
  ledger_.Forget(partitions);
  parked_.Forget(partitions);
}

bool SharedShare::BecameQuiet() {
  const PartitionSet quiet = ledger_.Quiet();
  if ((quiet & ~quiet_told_) == kNoPartitions) return false;
  quiet_told_ = quiet;
  return true;
}

void SharedShare::TakeParks() {
  for (const SharedLedger::ParkOrder& order : ledger_.TakeParks()) parked_.Order(order);
  for (const uint64_t sequence : ledger_.TakeFinishedReplays()) parked_.Finish(sequence);
}

void SharedShare::Replay(const state::v1::ParkedRecord& record) {
  // Another replica's by now: it has read the record, or will.
  if (!ledger_.Holds(record.conversation())) return;
  parked_.Replay(record);
  // Still to be delivered after a seek: that is what was asked for.
  if (!ledger_.Replay({record.sequence(), record.conversation()})) parked_.Finish(record.sequence());
}

size_t SharedShare::CountParked(absl::Time now) {
  parked_.Expire(now);
  return parked_.size();
}

bool SharedShare::HasWrites() const {
  return ledger_.blocks().dirty() || parked_.has_orders() || parked_.has_deletions();
}

state::v1::SubscriptionShare SharedShare::Record() const {
  return ToRecord(ledger_.blocks(), ledger_.floors(), ledger_.kept());
}

std::vector<StateWrite> SharedShare::TakeFirstWrites(uint64_t generation, absl::Time now) {
  return parked_.TakeRecords(generation, now);
}

std::vector<SharedLedger::ParkOrder> SharedShare::FirstWritten(bool ok) {
  std::vector<SharedLedger::ParkOrder> parked = parked_.RecordsWritten(ok);
  for (const SharedLedger::ParkOrder& order : parked) ledger_.Parked(order.sequence);
  return parked;
}

std::vector<StateWrite> SharedShare::TakeWrites(const std::string& share_key) {
  std::vector<StateWrite> writes;
  rows_ = ledger_.blocks().TakeDirty();
  writes.reserve(rows_.size());
  for (const AckBlocks::Row& row : rows_) {
    writes.push_back({kAcks, AckKey(id_, share_key, row.number), row.value, row.expected_revision});
  }
  for (StateWrite& deletion : parked_.TakeDeletions()) writes.push_back(std::move(deletion));
  return writes;
}

void SharedShare::Written(bool recorded, const std::vector<absl::StatusOr<uint64_t>>& results) {
  ledger_.blocks().FloorWritten(recorded);
  for (size_t i = 0; i < rows_.size(); ++i) {
    ledger_.blocks().Written(rows_[i], results[i].ok() ? std::optional<uint64_t>(*results[i]) : std::nullopt);
  }
  parked_.DeletionsWritten(absl::MakeSpan(results).subspan(rows_.size()));
  rows_.clear();
}

}  // namespace aulm::gateway
