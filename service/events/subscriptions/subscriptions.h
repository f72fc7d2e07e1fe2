#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/subscription_service.pb.h"
#include "prometheus/registry.h"
#include "service/events/frame_source.h"
#include "service/events/subscriptions/durable_subscription.h"
#include "service/events/subscriptions/other_replicas.h"
#include "service/events/subscriptions/partition_keeper.h"
#include "service/events/subscriptions/replica_roster.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/events/subscriptions/subscription_peers.h"
#include "service/events/subscriptions/subscription_requests.h"
#include "service/events/worker_pool.h"
#include "service/storage/peer_channel.h"

namespace aulm::gateway {

struct SubscriptionsOptions {
  size_t max_subscriptions = 1000;
  size_t max_consumers = 10'000;
  EventStreamOptions stream;
  absl::Duration measure_interval = absl::Seconds(5);  // between two looks at how far the subscriptions are
  SharedLedger::Limits limits;
  ReplicaRoster::Options roster;
  // SubscriptionContext's.
  std::function<std::shared_ptr<const EventVisibility>(absl::string_view caller)> visibility_of = {};
};

// The durable subscriptions of one store, by their owned names (owned_name.h), as this replica knows them: makes,
// finds, changes and deletes them, loads each at its first use, and sees to it that this replica has its part of each.
// Calls that may wait for the store run one after the other on a thread of its own; settling and streaming do not.
// Callbacks run once, on that thread, inline or on a thread of the store's or the peers', and must not block.
// Thread-safe.
class Subscriptions {
 public:
  template <typename Result>
  using Callback = absl::AnyInvocable<void(absl::StatusOr<Result>) &&>;

  // All must outlive this. Call Answer of `peers` only through this.
  Subscriptions(EventHub& hub, StateStore& state, PeerChannel& peers, Clock& clock, Random& random,
                EventsMetrics& events_metrics, prometheus::Registry& registry,
                const SubscriptionsOptions& options = {});

  // Stops.
  ~Subscriptions();

  // Errors: SUBSCRIPTION_EXISTS, OVERLOADED, CURSOR_EXPIRED, STORE_UNAVAILABLE, DRAINING (as all below).
  void Create(NewSubscription subscription, Callback<v1::Subscription> done);
  // Error: SUBSCRIPTION_NOT_FOUND (as all below but List).
  void Get(std::string name, Callback<v1::Subscription> done);
  // All of the store's: for whoever runs the gateway.
  void List(v1::ListSubscriptionsRequest request, Callback<v1::ListSubscriptionsResponse> done);
  // One owner's.
  void ListOwn(std::string owner, v1::ListSubscriptionsRequest request, Callback<v1::ListSubscriptionsResponse> done);
  void Delete(std::string name, Callback<v1::DeleteSubscriptionResponse> done);
  // Error: CURSOR_EXPIRED.
  void Seek(std::string name, LogStart target, Callback<v1::Subscription> done);
  // Error: SUBSCRIPTION_MODE (both).
  void ListParked(v1::ListParkedEventsRequest request, Callback<v1::ListParkedEventsResponse> done);
  void ReplayParked(v1::ReplayParkedEventsRequest request, Callback<v1::ReplayParkedEventsResponse> done);

  // Errors: those of DurableSubscription::Acknowledge. What another replica handed out, that one is asked to settle.
  void Acknowledge(v1::AcknowledgeEventsRequest request, DurableSubscription::AcknowledgeCallback done);

  // A consumer's stream, which finds its subscription in Start. Errors: OVERLOADED, DRAINING.
  absl::StatusOr<std::shared_ptr<FrameSource>> Open(ConsumerSpec spec);

  // Answers what another replica's Subscriptions asked: give it to PeerChannel::Answer.
  void AnswerPeer(const std::string& question, PeerChannel::AskCallback answer);

  // Ends every consumer with a Drain frame and takes no new ones; what is outstanding goes back uncounted, and what
  // this replica has of the subscriptions goes to the others. Does not wait for either.
  void Drain();

  // Writes what is left to be written, then ends the thread. After the gRPC server was shut down. Blocks.
  void Stop();

 private:
  using Found = absl::StatusOr<std::shared_ptr<DurableSubscription>>;

  // Runs `job` on the registry's thread; answers DRAINING once it has ended.
  template <typename Result, typename Job>
  void Run(Job job, Callback<Result> done);
  // The subscription, at once where it is loaded.
  void Find(std::string name, absl::AnyInvocable<void(Found) &&> done);
  // Settles what the subscription's replicas have handed out. `look_first`: the assignment may be out of date.
  void Route(const std::shared_ptr<DurableSubscription>& subscription, v1::AcknowledgeEventsRequest request,
             DurableSubscription::AcknowledgeCallback done, bool look_first);
  // Looks at who should have what of a subscription that is loaded, soon. Never blocks.
  void Look(const std::string& name) ABSL_LOCKS_EXCLUDED(mutex_);
  void LookAtAll() ABSL_LOCKS_EXCLUDED(mutex_);
  void Unload(const DurableSubscription& subscription) ABSL_LOCKS_EXCLUDED(mutex_);

  // On the registry's thread; block.
  Found Load(const std::string& name);
  // False when it is to be looked at again.
  bool LookNow(DurableSubscription& subscription);
  absl::Status PrepareKey();
  absl::Status Keep(DurableSubscription& subscription, PartitionKeeper::Claim claim);
  absl::StatusOr<v1::Subscription> Describe(const std::string& name);
  absl::StatusOr<v1::Subscription> Describe(const state::v1::SubscriptionRecord& record);
  // nullopt: of every owner.
  absl::StatusOr<v1::ListSubscriptionsResponse> ListNowOf(const std::optional<std::string>& owner,
                                                          const v1::ListSubscriptionsRequest& request);
  absl::Status DeleteNow(const std::string& name);
  absl::Status SeekNow(const std::string& name, const LogStart& target);
  void ReplayNow(v1::ReplayParkedEventsRequest request, Callback<v1::ReplayParkedEventsResponse> done);
  // What the owner of a subscription may see; null: everything. Never blocks.
  std::shared_ptr<const EventVisibility> VisibilityOf(const std::string& name) const;
  void MeasureNow();
  void GiveBackAll();

  void Measure();
  std::shared_ptr<DurableSubscription> Loaded(const std::string& name) const ABSL_LOCKS_EXCLUDED(mutex_);
  std::vector<std::shared_ptr<DurableSubscription>> AllLoaded() const ABSL_LOCKS_EXCLUDED(mutex_);

  // Shared with timers and with the roster, which may outlive this.
  struct Life {
    absl::Mutex mutex;
    Subscriptions* self ABSL_GUARDED_BY(mutex) = nullptr;
  };

  const SubscriptionsOptions options_;
  SubscriptionMetrics metrics_;
  std::unique_ptr<AckTokens> tokens_;  // made on the registry's thread before the first subscription is loaded
  std::unique_ptr<SubscriptionContext> context_;  // likewise
  EventHub& hub_;
  StateStore& state_;
  Clock& clock_;
  Random& random_;
  EventsMetrics& events_metrics_;
  const std::shared_ptr<Life> life_;
  const std::shared_ptr<ReplicaRoster> roster_;
  OtherReplicas others_;
  PartitionKeeper keeper_;

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, std::shared_ptr<DurableSubscription>> loaded_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_set<std::string> to_look_at_ ABSL_GUARDED_BY(mutex_);
  size_t consumers_ ABSL_GUARDED_BY(mutex_) = 0;
  bool draining_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;

  WorkerPool thread_{1};
};

}  // namespace aulm::gateway
