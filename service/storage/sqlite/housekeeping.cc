#include "service/storage/sqlite/housekeeping.h"

namespace aulm::gateway {
namespace {

// From the end of one pass over a table to the beginning of the next: how long an expired row may take up room.
constexpr absl::Duration kBetweenDeliverySweeps = absl::Hours(1);
constexpr absl::Duration kBetweenStateSweeps = absl::Minutes(1);
// State that is seldom written is merged all the same, so that it can expire and a start has little to read.
constexpr absl::Duration kBetweenStateMerges = absl::Minutes(1);
// Of one step of a merge: in a large table each may be a page.
constexpr size_t kRowsMerged = 640;

}  // namespace

Housekeeping::Housekeeping(Connection& connection, LogTable& log, DeliveryIndex& deliveries, StateTable& state,
                           Rules rules)
    : connection_(connection), log_(log), deliveries_(deliveries), state_(state), rules_(rules) {}

absl::StatusOr<Housekeeping::Next> Housekeeping::Step(absl::Time now) {
  const LogTable::Position before = log_.position();
  // Deferred: a step that finds nothing to delete writes nothing.
  if (absl::Status begun = connection_.Execute("BEGIN"); !begun.ok()) return begun;
  absl::StatusOr<Next> next = Work(now);
  if (next.ok()) {
    if (absl::Status committed = connection_.Execute("COMMIT"); !committed.ok()) next = committed;
  }
  if (!next.ok()) {
    connection_.RollBack();
    log_.Restore(before);
    deliveries_.RolledBack();
    state_.RolledBack();
    return next;
  }
  deliveries_.Committed();
  state_.Committed();
  return next;
}

absl::StatusOr<Housekeeping::Next> Housekeeping::Work(absl::Time now) {
  const int64_t before_ms = absl::ToUnixMillis(now - rules_.retention);
  absl::StatusOr<LogTable::Deletion> deletion =
      log_.DeleteOldest(before_ms, rules_.max_bytes, deliveries_.FirstUnmerged());
  if (!deletion.ok()) return deletion.status();
  Next next = *deletion == LogTable::Deletion::kSome ? Next::kAtOnce : Next::kLater;
  if (deliveries_.MergeIsDue() || *deletion == LogTable::Deletion::kBlocked) {
    absl::StatusOr<bool> merged = deliveries_.MergeStep(log_.position().head);
    if (!merged.ok()) return merged.status();
    if (*merged) next = Next::kAtOnce;
  }
  const bool is_time = now >= next_state_merge_;
  if (is_time) next_state_merge_ = now + kBetweenStateMerges;
  merging_state_ = is_time || (merging_state_ && state_.MergeIsDue());
  if (merging_state_) {
    absl::StatusOr<bool> merged = state_.MergeStep(kRowsMerged);
    if (!merged.ok()) return merged.status();
    if (*merged) next = Next::kAtOnce;
  }
  if (next == Next::kAtOnce) return next;

  if (now >= next_delivery_sweep_) {
    absl::StatusOr<bool> at_end = deliveries_.Sweep(absl::ToUnixMillis(now - rules_.dedupe_retention));
    if (!at_end.ok()) return at_end.status();
    if (*at_end) {
      next_delivery_sweep_ = now + kBetweenDeliverySweeps;
    } else {
      next = Next::kSoon;
    }
  }
  if (now >= next_state_sweep_) {
    absl::StatusOr<bool> at_end = state_.Sweep(now);
    if (!at_end.ok()) return at_end.status();
    if (*at_end) {
      next_state_sweep_ = now + kBetweenStateSweeps;
    } else {
      next = Next::kSoon;
    }
  }
  return next;
}

}  // namespace aulm::gateway
