#include "tests/faults/replicas_history.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

// An event whose bytes had to be read was handed out a little earlier than it is known: not longer than this.
constexpr absl::Duration kReading = absl::Seconds(3);

}  // namespace

void ReplicasHistory::Appended(const std::string& event, const std::string& conversation) {
  absl::MutexLock lock(&mutex_);
  order_[conversation].push_back(event);
}

void ReplicasHistory::Came(const v1::Delivery& delivery, uint64_t consumer, const std::string& replica,
                           absl::Time decided) {
  absl::MutexLock lock(&mutex_);
  Seen seen;
  seen.token = delivery.ack_token();
  seen.event = delivery.event().delivery_id();
  seen.conversation = delivery.event().inbound_message().from();
  seen.consumer = consumer;
  seen.replica = replica;
  seen.decided = decided;
  seen.arrived = ++happened_;
  const auto gone = gone_.find(consumer);
  seen.gone = gone != gone_.end();
  seen.returned = returned_.contains(consumer);
  Check(seen, seen.gone ? gone->second : seen.arrived);
  for (Seen& before : seen_) {
    if (before.event == seen.event && !seen.gone && LostAfter(replica, decided) > clock_.Now())
      before.superseded = true;
  }
  seen_.push_back(std::move(seen));
  ++arrivals_;
}

void ReplicasHistory::Check(const Seen& seen, uint64_t until) const {
  EXPECT_TRUE(HasLease(seen.replica, seen.decided))
      << seen.replica << " handed " << seen.event << " out at " << seen.decided << ", without a lease";
  // From then on others may have the conversation, and be done with it.
  const absl::Time lost = LostAfter(seen.replica, seen.decided);
  if (const auto done = done_.find(seen.event); done != done_.end()) {
    const bool before = done->second.time < seen.decided || (done->second.at < until && done->second.time < lost);
    EXPECT_FALSE(before) << seen.event << " was settled, durably: it must not come again, to " << seen.replica;
  }
  for (const Seen& other : seen_) {
    if (other.conversation != seen.conversation || other.arrived >= until || other.decided >= lost) continue;
    const bool later = seen.decided + rules_.ack_deadline <= other.decided;  // `seen` was under way for so long
    EXPECT_TRUE(later || IsOver(other, seen.decided))
        << seen.event << " was handed out on " << seen.replica << " at " << seen.decided << " while " << other.event
        << " was outstanding on " << other.replica << ", handed out at " << other.decided;
  }
  for (const std::string& earlier : order_.at(seen.conversation)) {
    if (earlier == seen.event) break;
    const auto perhaps = perhaps_.find(earlier);
    EXPECT_TRUE(perhaps != perhaps_.end() && perhaps->second > 0) << earlier << " comes before " << seen.event;
  }
}

bool ReplicasHistory::IsOver(const Seen& seen, absl::Time when) const {
  return seen.gone || seen.superseded || seen.settling ||
         when >= seen.decided + rules_.ack_deadline + rules_.retry_delay - kReading ||
         when >= LostAfter(seen.replica, seen.decided);
}

absl::Time ReplicasHistory::LostAfter(const std::string& replica, absl::Time since) const {
  if (const auto lapses = lapses_.find(replica); lapses != lapses_.end()) {
    for (const Lapse& lapse : lapses->second) {
      if (lapse.to > since && lapse.to >= lapse.from + rules_.lease) return lapse.from + rules_.lease;
    }
  }
  return renewed_.at(replica) + rules_.lease;
}

bool ReplicasHistory::HasLease(const std::string& replica, absl::Time when) const {
  if (const auto lapses = lapses_.find(replica); lapses != lapses_.end()) {
    for (const Lapse& lapse : lapses->second) {
      if (when >= lapse.from + rules_.own_lease && when < lapse.to) return false;
    }
  }
  return when < renewed_.at(replica) + rules_.own_lease;
}

void ReplicasHistory::Gone(uint64_t consumer) {
  absl::MutexLock lock(&mutex_);
  gone_.try_emplace(consumer, ++happened_);
  for (Seen& seen : seen_) seen.gone = seen.gone || seen.consumer == consumer;
}

void ReplicasHistory::Returned(uint64_t consumer) {
  absl::MutexLock lock(&mutex_);
  returned_.insert(consumer);
  for (Seen& seen : seen_) seen.returned = seen.returned || seen.consumer == consumer;
}

void ReplicasHistory::Renewed(const std::string& replica) {
  absl::MutexLock lock(&mutex_);
  const absl::Time now = clock_.Now();
  const auto [before, first] = renewed_.try_emplace(replica, now);
  if (first) return;
  if (now - before->second >= rules_.own_lease) lapses_[replica].push_back({before->second, now});
  before->second = now;
}

ReplicasHistory::Asked ReplicasHistory::Settling(const Seen& which, v1::SettlementAction action) {
  absl::MutexLock lock(&mutex_);
  Asked asked{which, action};
  for (Seen& seen : seen_) {
    if (seen.token != which.token) continue;
    asked.stale = seen.superseded || seen.returned || seen.decided + rules_.ack_deadline <= clock_.Now();
    seen.settling = true;
  }
  if (action != v1::SETTLEMENT_ACTION_RETRY) ++perhaps_[which.event];
  return asked;
}

void ReplicasHistory::Settled(const Asked& asked, const absl::StatusOr<v1::AcknowledgeEventsResponse>& answer) {
  absl::MutexLock lock(&mutex_);
  if (!answer.ok()) return;  // nobody can know: either is right
  const v1::SettlementEffect effect = answer->results(0).result();
  EXPECT_NE(effect, v1::SETTLEMENT_EFFECT_UNKNOWN);
  const std::string& event = asked.seen.event;
  if (asked.stale) {
    EXPECT_NE(effect, v1::SETTLEMENT_EFFECT_OK) << "a stale settlement of " << event << " took effect";
  }
  if (asked.action == v1::SETTLEMENT_ACTION_RETRY) return;
  if (effect == v1::SETTLEMENT_EFFECT_STALE) --perhaps_[event];
  if (effect == v1::SETTLEMENT_EFFECT_OK) done_.try_emplace(event, Done{clock_.Now(), ++happened_});
}

std::optional<Seen> ReplicasHistory::Pick(std::mt19937_64& chance, bool any) {
  absl::MutexLock lock(&mutex_);
  std::vector<size_t> choice;
  for (size_t i = 0; i < seen_.size(); ++i) {
    if (any || !IsOver(seen_[i], clock_.Now())) choice.push_back(i);
  }
  if (choice.empty()) return std::nullopt;
  return seen_[choice[chance() % choice.size()]];
}

std::vector<Seen> ReplicasHistory::Unsettled() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Seen> unsettled;
  for (const Seen& seen : seen_) {
    if (!seen.settling && !seen.superseded) unsettled.push_back(seen);
  }
  return unsettled;
}

std::string ReplicasHistory::Missing() const {
  absl::MutexLock lock(&mutex_);
  std::string missing;
  for (const auto& [conversation, events] : order_) {
    for (const std::string& event : events) {
      const auto perhaps = perhaps_.find(event);
      if (perhaps == perhaps_.end() || perhaps->second == 0)
        absl::StrAppend(&missing, event, " of ", conversation, "; ");
    }
  }
  return missing;
}

void ReplicasHistory::AwaitArrival() {
  absl::MutexLock lock(&mutex_);
  const uint64_t before = arrivals_;
  const auto more = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return arrivals_ != before; };
  mutex_.AwaitWithTimeout(absl::Condition(&more), absl::Milliseconds(5));
}

}  // namespace aulm::gateway
