#include "service/events/subscriptions/parked_events.h"

#include <optional>

#include "service/events/subscriptions/parked_records.h"

namespace aulm::gateway {

void ParkedEvents::Restore(const state::v1::ParkedRecord& record) {
  if (record.replaying()) {
    replaying_[record.sequence()] = {record.parked_ms(), record.conversation()};
    return;
  }
  if (const auto before = parked_.find(record.sequence()); before != parked_.end()) {
    deletions_.push_back(ParkedKey(id_, before->second.parked_ms, record.sequence()));
    Unpark(record.sequence());
  }
  Park(record.sequence(), record.conversation(), record.parked_ms());
}

std::vector<StateWrite> ParkedEvents::TakeRecords(uint64_t generation, absl::Time now) {
  std::vector<StateWrite> writes;
  writing_ = std::exchange(orders_, {});
  for (auto& [order, parked_ms] : writing_) {
    if (parked_ms == 0) parked_ms = absl::ToUnixMillis(now);
    state::v1::ParkedRecord record;
    record.set_sequence(order.sequence);
    record.set_conversation(order.conversation);
    record.set_reason(order.reason);
    record.set_attempts(order.attempts);
    record.set_parked_ms(parked_ms);
    record.set_generation(generation);
    writes.push_back({kParkedEvents, ParkedKey(id_, parked_ms, order.sequence), record.SerializeAsString(),
                      std::nullopt, now + retention_});
  }
  return writes;
}

std::vector<SharedLedger::ParkOrder> ParkedEvents::RecordsWritten(bool ok) {
  const std::vector<Ordered> written = std::exchange(writing_, {});
  std::vector<SharedLedger::ParkOrder> parked;
  if (!ok) {
    orders_.insert(orders_.begin(), written.begin(), written.end());
    return parked;
  }
  for (const auto& [order, parked_ms] : written) {
    parked.push_back(order);
    Park(order.sequence, order.conversation, parked_ms);
    // It may have been a replay: then its earlier record has done its work.
    if (const auto found = replaying_.find(order.sequence); found != replaying_.end()) {
      if (found->second.parked_ms != parked_ms) {
        deletions_.push_back(ParkedKey(id_, found->second.parked_ms, order.sequence));
      }
      replaying_.erase(found);
    }
  }
  return parked;
}

void ParkedEvents::Replay(const state::v1::ParkedRecord& record) {
  Unpark(record.sequence());
  replaying_[record.sequence()] = {record.parked_ms(), record.conversation()};
}

void ParkedEvents::Finish(uint64_t sequence) {
  const auto found = replaying_.find(sequence);
  if (found == replaying_.end()) return;
  deletions_.push_back(ParkedKey(id_, found->second.parked_ms, sequence));
  replaying_.erase(found);
}

std::vector<StateWrite> ParkedEvents::TakeDeletions() {
  deleting_ = std::exchange(deletions_, {});
  std::vector<StateWrite> writes;
  writes.reserve(deleting_.size());
  for (const std::string& key : deleting_) writes.push_back({kParkedEvents, key, std::nullopt, std::nullopt});
  return writes;
}

void ParkedEvents::DeletionsWritten(absl::Span<const absl::StatusOr<uint64_t>> results) {
  for (size_t i = 0; i < deleting_.size(); ++i) {
    if (!results[i].ok()) deletions_.push_back(std::move(deleting_[i]));
  }
  deleting_.clear();
}

void ParkedEvents::Expire(absl::Time now) {
  const int64_t oldest_ms = absl::ToUnixMillis(now - retention_);
  while (!by_time_.empty() && by_time_.begin()->first < oldest_ms) Unpark(by_time_.begin()->second);
}

void ParkedEvents::Forget(PartitionSet partitions) {
  const auto gone = [&](const Known& known) { return Contains(partitions, PartitionOf(known.conversation)); };
  for (auto it = parked_.begin(); it != parked_.end();) {
    if (gone(it->second)) by_time_.erase({it->second.parked_ms, it->first});
    if (gone(it->second)) {
      parked_.erase(it++);
    } else {
      ++it;
    }
  }
  absl::erase_if(replaying_, [&](const auto& entry) { return gone(entry.second); });
}

void ParkedEvents::Park(uint64_t sequence, uint64_t conversation, int64_t parked_ms) {
  parked_[sequence] = {parked_ms, conversation};
  by_time_.insert({parked_ms, sequence});
}

void ParkedEvents::Unpark(uint64_t sequence) {
  const auto found = parked_.find(sequence);
  if (found == parked_.end()) return;
  by_time_.erase({found->second.parked_ms, sequence});
  parked_.erase(found);
}

}  // namespace aulm::gateway
