#include "service/messaging/lease.h"

#include <utility>
#include <vector>

namespace aulm::gateway {
namespace {

constexpr char kBucket[] = "leases";

}  // namespace

std::shared_ptr<Lease> Lease::Create(Options options, StateStore& store, Clock& clock) {
  return std::shared_ptr<Lease>(new Lease(std::move(options), store, clock));
}

void Lease::Start() { Renew(); }

void Lease::Renew() {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
  }
  store_.Get(kBucket, options_.name, [self = shared_from_this()](absl::StatusOr<std::optional<StateEntry>> entry) {
    if (!entry.ok()) return;
    if (!entry->has_value()) return self->Take(0);
    const bool ours = (*entry)->value == self->options_.owner || self->options_.sole_owner;
    if (ours) self->Take((*entry)->revision);
  });
  clock_.CallAfter(options_.duration / 3, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->Renew();
  });
}

void Lease::Take(uint64_t revision) {
  // Ours ends before the store's does.
  const absl::Time until = clock_.Now() + options_.duration;
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, options_.name, options_.owner, revision, until});
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed,
               [self = shared_from_this(), until](const std::vector<absl::StatusOr<uint64_t>>& results) {
                 if (!results.front().ok()) return;
                 absl::MutexLock lock(&self->mutex_);
                 self->held_until_ = until - self->options_.duration / 10;
               });
}

void Lease::Stop() {
  bool held;
  {
    absl::MutexLock lock(&mutex_);
    stopped_ = true;
    held = held_until_ > clock_.Now();
    held_until_ = absl::InfinitePast();
  }
  if (!held) return;
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, options_.name, std::nullopt, std::nullopt});
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed, nullptr);
}

bool Lease::held() const {
  absl::MutexLock lock(&mutex_);
  return !stopped_ && held_until_ > clock_.Now();
}

}  // namespace aulm::gateway
