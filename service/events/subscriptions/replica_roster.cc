#include "service/events/subscriptions/replica_roster.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/log.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMostReplicas = 1000;
// After so long a dead replica's entry may leave the store: whoever looks has told by then.
constexpr int kEntryLeases = 20;

}  // namespace

std::shared_ptr<ReplicaRoster> ReplicaRoster::Create(const Options& options, PeerChannel& peers, StateStore& state,
                                                     Clock& clock, std::function<void()> on_change) {
  return std::shared_ptr<ReplicaRoster>(new ReplicaRoster(options, peers, state, clock, std::move(on_change)));
}

ReplicaRoster::ReplicaRoster(const Options& options, PeerChannel& peers, StateStore& state, Clock& clock,
                             std::function<void()> on_change)
    : options_(options),
      peers_(peers),
      state_(state),
      clock_(clock),
      self_(peers.Self()),
      on_change_(std::move(on_change)) {}

void ReplicaRoster::Start() {
  if (!alone()) Renew();
}

void ReplicaRoster::Renew() {
  std::string value;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    value = absl::StrCat(++renewals_);
  }
  const absl::Time begun = clock_.Now();
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, self_, std::move(value), std::nullopt, begun + kEntryLeases * options_.lease});
  state_.Write(std::move(writes), StateStore::Durability::kRelaxed,
               [self = shared_from_this(), begun](const std::vector<absl::StatusOr<uint64_t>>& results) {
                 if (!results.front().ok()) return;
                 std::function<void()> on_change;
                 {
                   absl::MutexLock lock(&self->mutex_);
                   const absl::Time now = self->clock_.Now();
                   const bool lapsed = now - self->renewed_ >= self->OwnLease();
                   self->renewed_ = std::max(self->renewed_, begun);
                   if (lapsed) ++self->term_;
                   if (lapsed && !self->stopped_) on_change = self->on_change_;
                 }
                 if (on_change) on_change();
               });
  Look();
  clock_.CallAfter(options_.renewal, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Renew();
  });
}

void ReplicaRoster::Look() {
  state_.List(
      kBucket, "", "", kMostReplicas,
      [self = shared_from_this(), begun = clock_.Now()](const absl::StatusOr<std::vector<StateEntry>>& entries) {
        if (entries.ok()) self->TakeIn(*entries, begun);
      });
}

void ReplicaRoster::TakeIn(const std::vector<StateEntry>& entries, absl::Time begun) {
  std::function<void()> on_change;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Time now = clock_.Now();
    absl::flat_hash_map<std::string, Seen> seen;
    bool changed = false;
    for (const StateEntry& entry : entries) {
      if (entry.key == self_) continue;
      const auto before = seen_.find(entry.key);
      const bool known = before != seen_.end() && before->second.revision == entry.revision;
      Seen& of = seen[entry.key];
      of = known ? before->second : Seen{entry.revision, now, true};
      of.alive = now - of.since < options_.lease;
      changed = changed || of.alive != (before != seen_.end() && before->second.alive);
    }
    for (const auto& [replica, of] : seen_) changed = changed || (of.alive && !seen.contains(replica));
    // Somebody wondered about a replica that has no lease: now that is certain.
    for (const auto& [replica, when] : asked_) changed = changed || (looked_ <= when && when < begun);
    seen_ = std::move(seen);
    looked_ = begun;
    if (changed && !stopped_) on_change = on_change_;
  }
  if (on_change) on_change();
}

void ReplicaRoster::TakeIn(const StateEntry& lease) {
  absl::MutexLock lock(&mutex_);
  Seen& seen = seen_[lease.key];
  if (seen.revision != lease.revision) seen = {lease.revision, clock_.Now(), true};
}

void ReplicaRoster::Stop(bool leave) {
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(stopped_, true)) return;
    on_change_ = nullptr;
  }
  if (alone() || !leave) return;
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, self_, std::nullopt, std::nullopt});
  state_.Write(std::move(writes), StateStore::Durability::kRelaxed,
               [](const std::vector<absl::StatusOr<uint64_t>>&) {});
}

bool ReplicaRoster::IsAlive(const std::string& replica) const {
  if (replica == self_) return true;
  if (alone()) return false;
  absl::MutexLock lock(&mutex_);
  // As of the last look that succeeded: a replica that cannot look does not know who renews.
  if (const auto found = seen_.find(replica); found != seen_.end()) return found->second.alive;
  // It may have come since the last look.
  const absl::Time asked = asked_.try_emplace(replica, clock_.Now()).first->second;
  return looked_ <= asked;
}

uint64_t ReplicaRoster::Term() const {
  if (alone()) return 1;
  absl::MutexLock lock(&mutex_);
  return clock_.Now() - renewed_ < OwnLease() ? term_ : 0;
}

std::vector<std::string> ReplicaRoster::Others() const {
  std::vector<std::string> others;
  if (alone()) return others;
  absl::MutexLock lock(&mutex_);
  for (const auto& [replica, of] : seen_) {
    if (of.alive) others.push_back(replica);
  }
  return others;
}

}  // namespace aulm::gateway
