#include "service/events/subscriptions/assignment.h"

#include <algorithm>
#include <utility>

namespace aulm::gateway {
namespace {

// Largest remainder, at least one for each that has consumers.
std::map<std::string, int> Proportional(const std::map<std::string, uint32_t>& consumers) {
  uint64_t all = 0;
  for (const auto& [replica, count] : consumers) all += count;
  std::map<std::string, int> targets;
  std::vector<std::pair<uint64_t, std::string>> remainders;
  int given = 0;
  for (const auto& [replica, count] : consumers) {
    const uint64_t parts = uint64_t{count} * kPartitions;
    const int target = std::max(1, static_cast<int>(parts / all));
    targets[replica] = target;
    given += target;
    remainders.emplace_back(parts % all, replica);
  }
  std::sort(remainders.begin(), remainders.end(), [](const auto& one, const auto& other) {
    return one.first != other.first ? one.first > other.first : one.second < other.second;
  });
  for (size_t i = 0; given < kPartitions; i = (i + 1) % remainders.size(), ++given) ++targets[remainders[i].second];
  // What the smallest got too much of, the largest lack.
  while (given > kPartitions) {
    const auto largest = std::max_element(targets.begin(), targets.end(),
                                          [](const auto& one, const auto& other) { return one.second < other.second; });
    --largest->second;
    --given;
  }
  return targets;
}

}  // namespace

Assignment Assignment::Vacant(absl::string_view key, uint64_t log_epoch, uint64_t generation, uint64_t last_epoch) {
  Assignment assignment;
  assignment.record_.set_log_epoch(log_epoch);
  assignment.record_.set_generation(generation);
  assignment.record_.set_last_epoch(last_epoch);
  Share& share = *assignment.record_.add_shares();
  share.set_key(std::string(key));
  share.set_partitions(kAllPartitions);
  return assignment;
}

const Assignment::Share* Assignment::Of(absl::string_view owner) const {
  for (const Share& share : record_.shares()) {
    if (share.owner() == owner) return &share;
  }
  return nullptr;
}

const Assignment::Share* Assignment::WithEpoch(uint64_t epoch) const {
  for (const Share& share : record_.shares()) {
    if (share.epoch() == epoch && !share.owner().empty()) return &share;
  }
  return nullptr;
}

Assignment::Share* Assignment::Find(absl::string_view owner) {
  for (Share& share : *record_.mutable_shares()) {
    if (share.owner() == owner) return &share;
  }
  return nullptr;
}

std::vector<const Assignment::Share*> Assignment::Vacancies(const Alive& alive) const {
  std::vector<const Share*> vacant;
  for (const Share& share : record_.shares()) {
    if (share.owner().empty() || !alive(share.owner())) vacant.push_back(&share);
  }
  return vacant;
}

std::map<std::string, int> Assignment::Targets(const Alive& alive, bool whole) const {
  std::map<std::string, uint32_t> consumers;
  const Share* holder = nullptr;
  const Share* first = nullptr;
  for (const Share& share : record_.shares()) {
    if (share.owner().empty() || share.consumers() == 0 || !alive(share.owner())) continue;
    consumers[share.owner()] = share.consumers();
    if (share.partitions() != kNoPartitions) holder = &share;
    if (first == nullptr || share.epoch() < first->epoch()) first = &share;
  }
  if (consumers.empty()) return {};
  if (!whole) return Proportional(consumers);
  std::map<std::string, int> targets;
  for (const auto& [replica, count] : consumers) targets[replica] = 0;
  if (targets.contains(record_.next_owner())) {
    targets[record_.next_owner()] = kPartitions;
  } else {
    targets[(holder != nullptr ? holder : first)->owner()] = kPartitions;
  }
  return targets;
}

void Assignment::Note(absl::string_view self, uint32_t consumers, absl::string_view key) {
  Share* share = Find(self);
  if (share == nullptr) {
    share = record_.add_shares();
    share->set_owner(std::string(self));
    share->set_key(std::string(key));
    record_.set_last_epoch(record_.last_epoch() + 1);
    share->set_epoch(record_.last_epoch());
  }
  share->set_consumers(consumers);
}

bool Assignment::Take(absl::string_view from_key, absl::string_view self, PartitionSet partitions) {
  Find(self)->set_partitions(Find(self)->partitions() | partitions);
  if (record_.next_owner() == self) record_.clear_next_owner();
  auto& shares = *record_.mutable_shares();
  for (int i = 0; i < shares.size(); ++i) {
    if (shares[i].key() != from_key) continue;
    shares[i].set_partitions(shares[i].partitions() & ~partitions);
    if (shares[i].partitions() != kNoPartitions) return false;
    shares.DeleteSubrange(i, 1);
    return true;
  }
  return false;
}

void Assignment::Release(absl::string_view self, PartitionSet partitions, absl::string_view key) {
  Share& share = *Find(self);
  share.set_partitions(share.partitions() & ~partitions);
  Share& vacant = *record_.add_shares();
  vacant.set_key(std::string(key));
  vacant.set_partitions(partitions);
}

void Assignment::Leave(absl::string_view self) {
  auto& shares = *record_.mutable_shares();
  for (int i = 0; i < shares.size(); ++i) {
    if (shares[i].owner() != self) continue;
    if (shares[i].partitions() == kNoPartitions) {
      shares.DeleteSubrange(i, 1);
    } else {
      shares[i].clear_owner();
      shares[i].set_consumers(0);
    }
    return;
  }
}

std::vector<std::string> Assignment::Prune(const Alive& alive) {
  std::vector<std::string> keys;
  auto& shares = *record_.mutable_shares();
  for (int i = shares.size() - 1; i >= 0; --i) {
    if (shares[i].owner().empty() || shares[i].partitions() != kNoPartitions || alive(shares[i].owner())) continue;
    keys.push_back(shares[i].key());
    shares.DeleteSubrange(i, 1);
  }
  return keys;
}

}  // namespace aulm::gateway
