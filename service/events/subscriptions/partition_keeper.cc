#include "service/events/subscriptions/partition_keeper.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/subscriptions/blocking_state.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/share_records.h"
#include "service/events/subscriptions/subscription_records.h"

namespace aulm::gateway {
namespace {

// Steps of one look: each moves something, or finds that somebody else was faster.
constexpr int kMostSteps = 100;
// A replica follows the log at some distance: only after so long it is sure that what is missing there was lost.
constexpr absl::Duration kLogPatience = absl::Seconds(10);

absl::Status StoreFailed(const DurableSubscription& subscription, const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("subscription ", subscription.name(), " cannot be read or stored: ", cause.message(),
                                   absl::IsDataLoss(cause) ? ": delete and create it" : ""));
}

// Who has to hear of a change: whoever has a part, or consumers that wait for one.
void AddOwners(const Assignment& assignment, const std::string& self, std::vector<std::string>& told) {
  for (const Assignment::Share& share : assignment.record().shares()) {
    if (!share.owner().empty() && share.owner() != self) told.push_back(share.owner());
  }
}

absl::Status Ended(const DurableSubscription& subscription) {
  return GatewayError(GatewayReason::kDraining, absl::StrCat("subscription ", subscription.name(),
                                                             " was moved or taken over just now: connect again"));
}

}  // namespace

absl::Status PartitionKeeper::Keep(DurableSubscription& subscription, Claim claim, std::vector<std::string>& told) {
  for (int step = 0; step < kMostSteps; ++step) {
    const absl::StatusOr<bool> more = Step(subscription, claim, told);
    if (!more.ok()) return more.status();
    if (!*more) return absl::OkStatus();
  }
  return StoreFailed(subscription, absl::AbortedError("other replicas are faster all the time"));
}

absl::StatusOr<bool> PartitionKeeper::Step(DurableSubscription& subscription, Claim claim,
                                           std::vector<std::string>& told) {
  if (subscription.ended()) return Ended(subscription);
  const uint64_t term = roster_.Term();  // before the look: what it finds is true in this term
  const absl::StatusOr<StoredAssignment> stored = ReadAssignment(state_, subscription.id());
  if (absl::IsNotFound(stored.status())) {
    absl::Status gone = SubscriptionNotFound(subscription.name());
    subscription.End(gone);
    return gone;
  }
  if (!stored.ok()) return StoreFailed(subscription, stored.status());
  const Assignment& assignment = stored->assignment;
  const Assignment::Share* const own = assignment.Of(roster_.self());
  if (subscription.epoch() != 0) {
    const bool moved = assignment.record().generation() != subscription.assignment().record().generation();
    const bool lost =
        own == nullptr || own->epoch() != subscription.epoch() || own->partitions() != subscription.held();
    if (moved || lost) {
      LogLine(LogLevel::kInfo, moved ? "subscription_moved" : "subscription_taken_over")
          .Field("subscription", subscription.name());
      subscription.Leave(moved ? "seek" : "moved");
      return Ended(subscription);
    }
  }
  if (subscription.epoch() == 0 && own != nullptr) {
    // This replica had it before, and lost it: what is left of that is to be had as if it were a dead one's.
    if (absl::Status left = LeaveEarlierShare(subscription, *stored, *own); !left.ok()) return left;
    return true;
  }
  if (!hub_.log().Info().Covers(assignment.record().log_epoch())) {
    if (absl::Status anew = StartAnew(subscription, 0); !anew.ok()) return anew;
    return true;
  }

  if (absl::Status looked = LookForTheDead(assignment); !looked.ok()) return StoreFailed(subscription, looked);
  const auto alive = [this](const std::string& replica) { return roster_.IsAlive(replica); };
  const auto consumers = static_cast<uint32_t>(subscription.consumers());
  const bool all = claim == Claim::kAll || roster_.alone();
  Assignment next = assignment;
  // In a new term the assignment is written again, as it is: whoever read it before this replica was back, and is about
  // to take it over, has to read it again, and then finds the lease renewed.
  bool changed = own != nullptr && subscription.term() != term && !roster_.alone();
  const bool belongs = consumers > 0 || all || own != nullptr;
  if (belongs && (own == nullptr || (own->consumers() != consumers && !roster_.alone()))) {
    next.Note(roster_.self(), consumers, subscription.share_key());
    changed = true;
  }
  if (subscription.wants_by_force() && next.record().next_owner() != roster_.self()) {
    next.SetNextOwner(roster_.self());
    changed = true;
  }
  const std::vector<std::string> pruned = next.Prune(alive);
  changed = changed || !pruned.empty();
  const Assignment::Share* const share = next.Of(roster_.self());
  const PartitionSet mine = share == nullptr ? kNoPartitions : share->partitions();
  const std::map<std::string, int> targets = next.Targets(alive, subscription.whole());
  int target = CountOf(mine);
  if (!targets.empty()) {
    const auto found = targets.find(roster_.self());
    target = found == targets.end() ? 0 : found->second;
  }
  if (all) target = kPartitions;

  absl::StatusOr<bool> more = false;
  if (CountOf(mine) < target) {
    if (term == 0) return StoreFailed(subscription, absl::UnavailableError("this replica's lease is not renewed"));
    subscription.Resume(mine);
    for (const Assignment::Share* const vacant : next.Vacancies(alive)) {
      if (vacant->partitions() == kNoPartitions) continue;
      const PartitionSet partitions = HighestOf(vacant->partitions(), target - CountOf(mine));
      more = Take(subscription, *stored, next, *vacant, partitions, term);
      if (more.ok()) {
        AddOwners(next, roster_.self(), told);
      }
      return more;
    }
  } else if (CountOf(mine) > target) {
    const PartitionSet excess = HighestOf(mine, CountOf(mine) - target);
    subscription.Resume(mine & ~excess);
    if (const PartitionSet quiet = subscription.Withhold(excess) & excess; quiet != kNoPartitions) {
      more = Release(subscription, *stored, next, quiet, term);
      if (more.ok()) {
        AddOwners(next, roster_.self(), told);
      }
      return more;
    }
  } else {
    subscription.Resume(mine);
  }
  if (changed) {
    const absl::StatusOr<uint64_t> written = WriteAssignment(state_, subscription.id(), next, stored->revision);
    if (absl::IsAborted(written.status())) return true;
    if (!written.ok()) return StoreFailed(subscription, written.status());
    for (const std::string& key : pruned) DeleteShare(state_, subscription.id(), key);
    AddOwners(next, roster_.self(), told);
  }
  subscription.Confirm(share == nullptr ? 0 : share->epoch(), term, next);
  return false;
}

absl::Status PartitionKeeper::LookForTheDead(const Assignment& assignment) {
  if (roster_.alone()) return absl::OkStatus();
  for (const Assignment::Share& share : assignment.record().shares()) {
    if (share.owner().empty() || roster_.IsAlive(share.owner())) continue;
    const absl::StatusOr<std::optional<StateEntry>> lease = GetNow(state_, ReplicaRoster::kBucket, share.owner());
    if (!lease.ok()) return lease.status();
    if (lease->has_value()) roster_.TakeIn(**lease);
  }
  return absl::OkStatus();
}

absl::StatusOr<bool> PartitionKeeper::Take(DurableSubscription& subscription, const StoredAssignment& stored,
                                           Assignment next, const Assignment::Share& from, PartitionSet partitions,
                                           uint64_t term) {
  const std::string& from_key = from.key();
  const std::string& from_owner = from.owner();
  absl::StatusOr<ShareContent> content = ReadShare(state_, subscription.id(), from_key, /*fence=*/!from_owner.empty());
  if (!content.ok()) {
    // Gone in the meantime, where the assignment says so, too: look again.
    const absl::StatusOr<StoredAssignment> now = ReadAssignment(state_, subscription.id());
    if (now.ok() && now->revision != stored.revision) return true;
    return StoreFailed(subscription, content.status());
  }
  const uint64_t floor = content->record.floor();
  if (floor != UINT64_MAX && floor > hub_.log().Info().head) {
    const absl::Time since = ahead_.try_emplace(subscription.id(), clock_.Now()).first->second;
    if (clock_.Now() - since < kLogPatience && !roster_.alone()) {
      return StoreFailed(subscription, absl::UnavailableError("the event log is not there yet"));
    }
    ahead_.erase(subscription.id());
    if (absl::Status anew = StartAnew(subscription, floor); !anew.ok()) return anew;
    return true;
  }
  ahead_.erase(subscription.id());
  const absl::StatusOr<std::vector<state::v1::ParkedRecord>> parked =
      ReadParked(subscription, partitions, next.record().generation(), content->part.blocks);
  if (!parked.ok()) return StoreFailed(subscription, parked.status());

  subscription.Reserve(partitions, *content, *parked);
  if (absl::Status status = subscription.WriteThrough(); !status.ok()) {
    subscription.Abandon(partitions);
    return status;
  }
  const bool emptied = next.Take(from_key, roster_.self(), partitions);
  const absl::StatusOr<uint64_t> written = WriteAssignment(state_, subscription.id(), next, stored.revision);
  if (!written.ok()) {
    subscription.Abandon(partitions);
    if (absl::IsAborted(written.status())) return true;
    return StoreFailed(subscription, written.status());
  }
  subscription.Confirm(next.Of(roster_.self())->epoch(), term, next);
  subscription.Hold(partitions);
  if (emptied) DeleteShare(state_, subscription.id(), from_key);
  LogLine(LogLevel::kInfo, "subscription_partitions_taken")
      .Field("subscription", subscription.name())
      .Field("partitions", CountOf(partitions))
      .Field("from_replica", from_owner)
      .Field("epoch", next.Of(roster_.self())->epoch());
  return true;
}

absl::StatusOr<bool> PartitionKeeper::Release(DurableSubscription& subscription, const StoredAssignment& stored,
                                              Assignment next, PartitionSet partitions, uint64_t term) {
  const std::string key = random_.Uuid();
  const absl::Status copied = WriteShare(state_, subscription.id(), key, subscription.ContentOf(partitions));
  if (!copied.ok()) return StoreFailed(subscription, copied);
  next.Release(roster_.self(), partitions, key);
  const absl::StatusOr<uint64_t> written = WriteAssignment(state_, subscription.id(), next, stored.revision);
  if (absl::IsAborted(written.status())) {
    DeleteShare(state_, subscription.id(), key);
    return true;
  }
  if (!written.ok()) return StoreFailed(subscription, written.status());
  subscription.Forget(partitions);
  subscription.Confirm(next.Of(roster_.self())->epoch(), term, next);
  LogLine(LogLevel::kInfo, "subscription_partitions_released")
      .Field("subscription", subscription.name())
      .Field("partitions", CountOf(partitions));
  return true;
}

absl::StatusOr<std::vector<state::v1::ParkedRecord>> PartitionKeeper::ReadParked(
    const DurableSubscription& subscription, PartitionSet partitions, uint64_t generation, AckBlocks& blocks) {
  std::vector<state::v1::ParkedRecord> parked;
  if (subscription.whole()) return parked;
  absl::Status unread;
  absl::Status read = ForEachParked(state_, subscription.id(), [&](const state::v1::ParkedRecord& record) {
    if (!Contains(partitions, PartitionOf(record.conversation()))) return;
    // The record was durable before the bit was to be written.
    if (record.generation() == generation) blocks.Settle(record.sequence());
    // On its way back since its caller could still see it: it stays where it is.
    const absl::StatusOr<bool> seen =
        record.replaying() ? MayBeSeen(hub_.log(), record.sequence(), subscription.visibility()) : true;
    if (!seen.ok()) unread = seen.status();
    if (seen.ok() && *seen) parked.push_back(record);
  });
  if (!read.ok()) return read;
  if (!unread.ok()) return unread;
  return parked;
}

absl::Status PartitionKeeper::LeaveEarlierShare(const DurableSubscription& subscription, const StoredAssignment& stored,
                                                const Assignment::Share& own) {
  if (own.partitions() != kNoPartitions) {
    const absl::StatusOr<ShareContent> fenced = ReadShare(state_, subscription.id(), own.key(), /*fence=*/true);
    if (!fenced.ok()) return StoreFailed(subscription, fenced.status());
  }
  Assignment next = stored.assignment;
  next.Leave(roster_.self());
  const absl::StatusOr<uint64_t> written = WriteAssignment(state_, subscription.id(), next, stored.revision);
  if (!written.ok() && !absl::IsAborted(written.status())) return StoreFailed(subscription, written.status());
  return absl::OkStatus();
}

absl::Status PartitionKeeper::StartAnew(DurableSubscription& subscription, uint64_t floor) {
  const LogInfo info = hub_.log().Info();
  std::vector<std::string> told;
  if (absl::Status moved = Move(subscription.id(), EarliestPosition(info), told); !moved.ok()) {
    return StoreFailed(subscription, moved);
  }
  subscription.NoteLoss(floor, info.earliest - 1);
  return absl::OkStatus();
}

void PartitionKeeper::GiveBack(DurableSubscription& subscription, std::vector<std::string>& told) {
  if (roster_.alone() || subscription.epoch() == 0 || subscription.ended()) return;
  // What is settled from here on is not answered: whoever takes over may have read how far it is by then.
  subscription.Withhold(subscription.held());
  if (!subscription.WriteThrough().ok()) return;  // whoever takes it over reads what is there
  for (int step = 0; step < kMostSteps; ++step) {
    const absl::StatusOr<StoredAssignment> stored = ReadAssignment(state_, subscription.id());
    if (!stored.ok()) return;
    const Assignment::Share* const own = stored->assignment.Of(roster_.self());
    if (own == nullptr || own->epoch() != subscription.epoch()) return;
    Assignment next = stored->assignment;
    next.Leave(roster_.self());
    const absl::StatusOr<uint64_t> written = WriteAssignment(state_, subscription.id(), next, stored->revision);
    if (absl::IsAborted(written.status())) continue;
    if (written.ok()) {
      AddOwners(next, roster_.self(), told);
    }
    return;
  }
}

absl::Status PartitionKeeper::Move(const std::string& subscription_id, const Position& position,
                                   std::vector<std::string>& told) {
  const LogInfo info = hub_.log().Info();
  const std::string key = random_.Uuid();
  ShareContent content;
  content.record.set_floor(position.sequence);
  content.record.set_fingerprint(position.fingerprint);
  content.record.set_fence(info.head);
  content.part = SharedLedger::Part(position.sequence);
  if (absl::Status status = WriteShare(state_, subscription_id, key, content); !status.ok()) return status;
  for (int step = 0; step < kMostSteps; ++step) {
    const absl::StatusOr<StoredAssignment> stored = ReadAssignment(state_, subscription_id);
    if (!stored.ok()) return stored.status();
    const state::v1::SubscriptionAssignment& record = stored->assignment.record();
    // From here on nothing that its owners do takes effect any more.
    for (const Assignment::Share& share : record.shares()) {
      if (share.owner().empty()) continue;
      if (absl::Status fenced = FenceShare(state_, subscription_id, share.key()); !fenced.ok()) return fenced;
    }
    const Assignment next = Assignment::Vacant(key, info.epoch, record.generation() + 1, record.last_epoch());
    const absl::StatusOr<uint64_t> written = WriteAssignment(state_, subscription_id, next, stored->revision);
    if (absl::IsAborted(written.status())) continue;
    if (!written.ok()) return written.status();
    for (const Assignment::Share& share : record.shares()) {
      if (!share.owner().empty()) told.push_back(share.owner());
      DeleteShare(state_, subscription_id, share.key());
    }
    return absl::OkStatus();
  }
  return absl::AbortedError("other replicas are faster all the time");
}

}  // namespace aulm::gateway
