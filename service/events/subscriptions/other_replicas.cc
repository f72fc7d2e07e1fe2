#include "service/events/subscriptions/other_replicas.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/synchronization/mutex.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/share_records.h"
#include "service/events/subscriptions/subscription_peers.h"
#include "service/events/subscriptions/subscription_stats.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kPeerTimeout = absl::Seconds(2);
constexpr absl::Duration kStatsTimeout = absl::Seconds(1);

// Adds up how many events were put back, until all have told.
class ReplaySum {
 public:
  using Callback = absl::AnyInvocable<void(absl::StatusOr<v1::ReplayParkedEventsResponse>) &&>;

  ReplaySum(size_t parts, Callback done) : left_(parts), done_(std::move(done)) {}

  void Add(const absl::StatusOr<uint64_t>& part) ABSL_LOCKS_EXCLUDED(mutex_) {
    Callback last;
    absl::StatusOr<v1::ReplayParkedEventsResponse> result = v1::ReplayParkedEventsResponse();
    {
      absl::MutexLock lock(&mutex_);
      if (part.ok()) replayed_ += *part;
      if (!part.ok() && !absl::IsNotFound(part.status())) failure_ = part.status();
      if (--left_ > 0) return;
      last = std::move(done_);
      result->set_replayed_events(replayed_);
      if (!failure_.ok()) result = failure_;
    }
    std::move(last)(std::move(result));
  }

 private:
  absl::Mutex mutex_;
  size_t left_ ABSL_GUARDED_BY(mutex_);
  uint64_t replayed_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  Callback done_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

void OtherReplicas::Acknowledge(const std::string& owner, v1::AcknowledgeEventsRequest request,
                                DurableSubscription::AcknowledgeCallback done) {
  state::v1::SubscriptionQuestion question;
  question.set_subscription(request.subscription());
  *question.mutable_acknowledge() = std::move(request);
  AskPeer(peers_, owner, question, kPeerTimeout,
          [done = std::move(done)](absl::StatusOr<state::v1::SubscriptionAnswer> answer) mutable {
            if (answer.ok()) {
              std::move(done)(std::move(*answer->mutable_acknowledged()));
            } else {
              std::move(done)(answer.status());
            }
          });
}

void OtherReplicas::Tell(const std::vector<std::string>& replicas, const std::string& subscription) {
  state::v1::SubscriptionQuestion question;
  question.set_subscription(subscription);
  question.set_look(true);
  absl::flat_hash_set<std::string> told;
  for (const std::string& replica : replicas) {
    if (replica == roster_.self() || !told.insert(replica).second) continue;
    AskPeer(peers_, replica, question, kPeerTimeout, [](const absl::StatusOr<state::v1::SubscriptionAnswer>&) {});
  }
}

void OtherReplicas::Replay(DurableSubscription& subscription, v1::ReplayParkedEventsRequest request,
                           absl::AnyInvocable<void(absl::StatusOr<v1::ReplayParkedEventsResponse>) &&> done) {
  const absl::StatusOr<uint64_t> own = subscription.ReplayParked(request);
  if (!own.ok()) return std::move(done)(own.status());
  const Assignment assignment = subscription.assignment();
  std::vector<std::string> owners;
  for (const Assignment::Share& share : assignment.record().shares()) {
    const std::string& owner = share.owner();
    if (share.partitions() != kNoPartitions && owner != roster_.self() && !owner.empty() && roster_.IsAlive(owner)) {
      owners.push_back(owner);
    }
  }
  PartitionSet vacant = kNoPartitions;
  for (const Assignment::Share* const share :
       assignment.Vacancies([this](const std::string& replica) { return roster_.IsAlive(replica); })) {
    vacant |= share->partitions();
  }
  absl::StatusOr<uint64_t> free = uint64_t{0};
  if (vacant != kNoPartitions) {
    const absl::StatusOr<MarkedReplays> marked =
        MarkReplays(state_, log_, subscription.id(), subscription.visibility(), request,
                    [&](uint64_t conversation) { return Contains(vacant, PartitionOf(conversation)); });
    free = marked.ok() ? absl::StatusOr<uint64_t>(marked->records.size()) : marked.status();
  }
  const auto sum = std::make_shared<ReplaySum>(owners.size() + 2, std::move(done));
  sum->Add(*own);
  sum->Add(free);
  state::v1::SubscriptionQuestion question;
  question.set_subscription(request.subscription());
  *question.mutable_replay() = std::move(request);
  for (const std::string& owner : owners) {
    AskPeer(peers_, owner, question, kPeerTimeout, [sum](const absl::StatusOr<state::v1::SubscriptionAnswer>& answer) {
      sum->Add(answer.ok() ? absl::StatusOr<uint64_t>(answer->replayed_events()) : answer.status());
    });
  }
}

absl::StatusOr<state::v1::ShareStats> OtherReplicas::ReadStats(DurableSubscription& subscription) {
  const absl::StatusOr<StoredAssignment> stored = ReadAssignment(state_, subscription.id());
  if (!stored.ok()) return stored.status();
  state::v1::ShareStats all;
  all.set_floor(UINT64_MAX);
  state::v1::SubscriptionQuestion question;
  question.set_subscription(subscription.name());
  question.set_stats(true);
  for (const Assignment::Share& share : stored->assignment.record().shares()) {
    if (share.owner() == roster_.self() && share.epoch() == subscription.epoch()) {
      Add(subscription.ReadStats(), all);
      continue;
    }
    if (!share.owner().empty() && roster_.IsAlive(share.owner())) {
      const auto answer = AskPeerNow(peers_, share.owner(), question, kStatsTimeout);
      if (answer.ok()) {
        Add(answer->share(), all);
        continue;
      }
    }
    const absl::StatusOr<state::v1::ShareStats> kept =
        ReadStoredStats(state_, log_, subscription.id(), share, subscription.whole());
    if (!kept.ok()) return kept.status();
    Add(*kept, all);
  }
  return all;
}

}  // namespace aulm::gateway
