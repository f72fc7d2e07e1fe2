#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "service/events/subscriptions/partitions.h"

namespace aulm::gateway {

// Who has which partitions of a subscription, and who should: the rules by which replicas share them, without I/O.
// Every replica works out the same target from the same record and changes what is its own alone: it gives back what it
// has too much of, and takes what is nobody's, or a dead replica's, up to its part. So nothing moves but what has to.
class Assignment {
 public:
  using Share = state::v1::SubscriptionAssignment::Share;
  using Alive = std::function<bool(const std::string& replica)>;

  Assignment() = default;
  explicit Assignment(state::v1::SubscriptionAssignment record) : record_(std::move(record)) {}

  // Of a subscription that is new, or was moved: all of it to be had, under `key`.
  static Assignment Vacant(absl::string_view key, uint64_t log_epoch, uint64_t generation, uint64_t last_epoch);

  const state::v1::SubscriptionAssignment& record() const { return record_; }
  const Share* Of(absl::string_view owner) const;
  const Share* WithEpoch(uint64_t epoch) const;
  // Shares that are to be had: nobody's, or a dead replica's.
  std::vector<const Share*> Vacancies(const Alive& alive) const;

  // In proportion to the consumers of the living, at least one partition for each replica that has any, by largest
  // remainder. Empty when nobody has consumers. `whole`: all of it to one (mode CURSOR), who has it if it has
  // consumers, else the one that asked for it by force, else the one that came first.
  std::map<std::string, int> Targets(const Alive& alive, bool whole) const;

  // Makes `self` known with so many consumers, or changes their number. The key is for a share that is new.
  void Note(absl::string_view self, uint32_t consumers, absl::string_view key);
  // Gives `partitions` of the vacant share `from` to `self`, which was noted. True when `from` is now empty, and gone.
  bool Take(absl::string_view from_key, absl::string_view self, PartitionSet partitions);
  // Takes `partitions` from `self`: they are to be had under `key`.
  void Release(absl::string_view self, PartitionSet partitions, absl::string_view key);
  // `self` goes: what it has is to be had where it stands.
  void Leave(absl::string_view self);
  // Leaves out dead replicas that have nothing, and returns the keys of their shares.
  std::vector<std::string> Prune(const Alive& alive);
  void SetNextOwner(absl::string_view replica) { record_.set_next_owner(std::string(replica)); }

 private:
  Share* Find(absl::string_view owner);

  state::v1::SubscriptionAssignment record_;
};

}  // namespace aulm::gateway
