#include "service/events/subscriptions/subscriptions.h"

#include <openssl/rand.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/subscriptions/blocking_state.h"
#include "service/events/subscriptions/cursor_subscription.h"
#include "service/events/subscriptions/forwarded_settlements.h"
#include "service/events/subscriptions/owned_name.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/share_records.h"
#include "service/events/subscriptions/shared_subscription.h"
#include "service/events/subscriptions/subscription_records.h"
#include "service/events/subscriptions/subscription_stats.h"
#include "service/events/subscriptions/subscription_stream.h"

namespace aulm::gateway {
namespace {

constexpr char kKeys[] = "subscription_keys";
constexpr char kTokenKey[] = "ack_tokens";
constexpr size_t kKeyBytes = 32;
constexpr absl::Duration kPeerTimeout = absl::Seconds(2);
constexpr absl::Duration kStatsTimeout = absl::Seconds(1);
constexpr absl::Duration kLookAgain = absl::Milliseconds(500);  // after a look that failed
constexpr absl::Duration kRetryWhenFull = absl::Seconds(5);

absl::Status StoreFailed(const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("subscriptions cannot be read or stored: ", cause.message()));
}

absl::Status Stopping() {
  return GatewayError(GatewayReason::kDraining, "the gateway is shutting down: connect to another replica, or later");
}

absl::Status Moving(const std::string& name) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("subscription ", NameOf(name), " is on its way to another replica: repeat"));
}

absl::Status NoParking(const std::string& name) {
  absl::Status status = GatewayError(
      GatewayReason::kSubscriptionMode,
      absl::StrCat("subscription ", NameOf(name), " is in mode CURSOR: only one in mode SHARED parks events"));
  SetResourceInfo(status, "subscription", NameOf(name), "of the other mode");
  return status;
}

}  // namespace

Subscriptions::Subscriptions(EventHub& hub, StateStore& state, PeerChannel& peers, Clock& clock, Random& random,
                             EventsMetrics& events_metrics, prometheus::Registry& registry,
                             const SubscriptionsOptions& options)
    : peers_(peers),
      options_(options),
      metrics_(registry),
      hub_(hub),
      state_(state),
      clock_(clock),
      random_(random),
      events_metrics_(events_metrics),
      life_(std::make_shared<Life>()),
      roster_(ReplicaRoster::Create(options.roster, peers, state, clock,
                                    [life = life_] {
                                      absl::MutexLock lock(&life->mutex);
                                      if (life->self != nullptr) life->self->LookAtAll();
                                    })),
      keeper_(hub, state, clock, random, *roster_) {
  {
    absl::MutexLock lock(&life_->mutex);
    life_->self = this;
  }
  roster_->Start();
  Measure();
}

Subscriptions::~Subscriptions() { Stop(); }

void Subscriptions::Measure() {
  clock_.CallAfter(options_.measure_interval, [life = life_] {
    absl::MutexLock lock(&life->mutex);
    if (life->self == nullptr) return;
    life->self->thread_.Post([self = life->self] { self->MeasureNow(); });
    // A word of another replica's may have been lost.
    if (!life->self->roster_->alone()) life->self->LookAtAll();
    life->self->Measure();
  });
}

void Subscriptions::MeasureNow() {
  for (const auto& subscription : AllLoaded()) {
    if (subscription->ended()) {
      // Nobody has asked for it since.
      absl::MutexLock lock(&mutex_);
      const auto found = loaded_.find(subscription->name());
      if (found != loaded_.end() && found->second == subscription) loaded_.erase(found);
      continue;
    }
    SetGauges(Finish(subscription->ReadStats(), hub_.log(), clock_.Now()), *subscription->series());
    subscription->series()->partitions->Set(CountOf(subscription->held()));
  }
}

template <typename Result, typename Job>
void Subscriptions::Run(Job job, Callback<Result> done) {
  {
    absl::MutexLock lock(&mutex_);
    if (!stopped_) {
      thread_.Post([job = std::move(job), done = std::move(done)]() mutable { std::move(done)(job()); });
      return;
    }
  }
  std::move(done)(Stopping());
}

void Subscriptions::Create(NewSubscription subscription, Callback<v1::Subscription> done) {
  Run<v1::Subscription>(
      [this, subscription = std::move(subscription)]() -> absl::StatusOr<v1::Subscription> {
        const absl::StatusOr<state::v1::SubscriptionRecord> record =
            CreateSubscription(subscription, options_.max_subscriptions, state_, hub_.log(), clock_, random_);
        if (!record.ok()) return record.status();
        return Describe(*record);
      },
      std::move(done));
}

void Subscriptions::Get(std::string name, Callback<v1::Subscription> done) {
  Run<v1::Subscription>([this, name = std::move(name)] { return Describe(name); }, std::move(done));
}

void Subscriptions::List(v1::ListSubscriptionsRequest request, Callback<v1::ListSubscriptionsResponse> done) {
  Run<v1::ListSubscriptionsResponse>([this, request = std::move(request)] { return ListNowOf(std::nullopt, request); },
                                     std::move(done));
}

void Subscriptions::ListOwn(std::string owner, v1::ListSubscriptionsRequest request,
                            Callback<v1::ListSubscriptionsResponse> done) {
  Run<v1::ListSubscriptionsResponse>(
      [this, owner = std::move(owner), request = std::move(request)] { return ListNowOf(owner, request); },
      std::move(done));
}

void Subscriptions::Delete(std::string name, Callback<v1::DeleteSubscriptionResponse> done) {
  Run<v1::DeleteSubscriptionResponse>(
      [this, name = std::move(name)]() -> absl::StatusOr<v1::DeleteSubscriptionResponse> {
        if (absl::Status status = DeleteNow(name); !status.ok()) return status;
        return v1::DeleteSubscriptionResponse();
      },
      std::move(done));
}

void Subscriptions::Seek(std::string name, LogStart target, Callback<v1::Subscription> done) {
  Run<v1::Subscription>(
      [this, name = std::move(name), target = std::move(target)]() -> absl::StatusOr<v1::Subscription> {
        if (absl::Status status = SeekNow(name, target); !status.ok()) return status;
        return Describe(name);
      },
      std::move(done));
}

std::shared_ptr<const EventVisibility> Subscriptions::VisibilityOf(const std::string& name) const {
  return options_.visibility_of ? options_.visibility_of(OwnerOf(name)) : nullptr;
}

void Subscriptions::ListParked(v1::ListParkedEventsRequest request, Callback<v1::ListParkedEventsResponse> done) {
  Run<v1::ListParkedEventsResponse>(
      [this, request = std::move(request)]() -> absl::StatusOr<v1::ListParkedEventsResponse> {
        const absl::StatusOr<state::v1::SubscriptionRecord> record = ReadSubscription(state_, request.subscription());
        if (!record.ok()) return record.status();
        if (record->specification().mode() != v1::SUBSCRIPTION_MODE_SHARED) return NoParking(request.subscription());
        return ReadParkedPage(state_, hub_.log(), record->id(), VisibilityOf(request.subscription()).get(), request);
      },
      std::move(done));
}

void Subscriptions::ReplayParked(v1::ReplayParkedEventsRequest request, Callback<v1::ReplayParkedEventsResponse> done) {
  {
    absl::MutexLock lock(&mutex_);
    if (!stopped_) {
      thread_.Post([this, request = std::move(request), done = std::move(done)]() mutable {
        ReplayNow(std::move(request), std::move(done));
      });
      return;
    }
  }
  std::move(done)(Stopping());
}

void Subscriptions::ReplayNow(v1::ReplayParkedEventsRequest request, Callback<v1::ReplayParkedEventsResponse> done) {
  const Found found = Load(request.subscription());
  if (!found.ok()) return std::move(done)(found.status());
  DurableSubscription& subscription = **found;
  const absl::StatusOr<uint64_t> own = subscription.ReplayParked(request);
  if (!own.ok()) return std::move(done)(own.status());

  // What other replicas have, they put back; what nobody has, whoever takes it.
  struct Sum {
    absl::Mutex mutex;
    size_t left ABSL_GUARDED_BY(mutex) = 1;
    uint64_t replayed ABSL_GUARDED_BY(mutex) = 0;
    absl::Status failure ABSL_GUARDED_BY(mutex);
    Callback<v1::ReplayParkedEventsResponse> done ABSL_GUARDED_BY(mutex);

    void Add(const absl::StatusOr<uint64_t>& part) ABSL_LOCKS_EXCLUDED(mutex) {
      Callback<v1::ReplayParkedEventsResponse> last;
      absl::StatusOr<v1::ReplayParkedEventsResponse> result = v1::ReplayParkedEventsResponse();
      {
        absl::MutexLock lock(&mutex);
        if (part.ok()) replayed += *part;
        if (!part.ok() && !absl::IsNotFound(part.status())) failure = part.status();
        if (--left > 0) return;
        last = std::move(done);
        result->set_replayed_events(replayed);
        if (!failure.ok()) result = failure;
      }
      std::move(last)(std::move(result));
    }
  };
  const auto sum = std::make_shared<Sum>();
  const Assignment assignment = subscription.assignment();
  std::vector<std::string> owners;
  for (const Assignment::Share& share : assignment.record().shares()) {
    const std::string& owner = share.owner();
    if (share.partitions() != kNoPartitions && owner != roster_->self() && !owner.empty() && roster_->IsAlive(owner)) {
      owners.push_back(owner);
    }
  }
  const PartitionSet vacant = [&] {
    PartitionSet partitions = kNoPartitions;
    for (const Assignment::Share* const share :
         assignment.Vacancies([this](const std::string& replica) { return roster_->IsAlive(replica); })) {
      partitions |= share->partitions();
    }
    return partitions;
  }();
  absl::StatusOr<uint64_t> free = uint64_t{0};
  if (vacant != kNoPartitions) {
    const absl::StatusOr<MarkedReplays> marked =
        MarkReplays(state_, hub_.log(), subscription.id(), subscription.visibility(), request,
                    [&](uint64_t conversation) { return Contains(vacant, PartitionOf(conversation)); });
    free = marked.ok() ? absl::StatusOr<uint64_t>(marked->records.size()) : marked.status();
  }
  {
    absl::MutexLock lock(&sum->mutex);
    sum->left = owners.size() + 2;
    sum->done = std::move(done);
  }
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

void Subscriptions::Acknowledge(v1::AcknowledgeEventsRequest request, DurableSubscription::AcknowledgeCallback done) {
  std::string name = request.subscription();
  Find(std::move(name), [this, request = std::move(request), done = std::move(done)](Found found) mutable {
    if (!found.ok()) {
      std::move(done)(found.status());
    } else if (roster_->alone()) {
      (*found)->Acknowledge(request, std::move(done));
    } else {
      Route(*found, std::move(request), std::move(done), /*look_first=*/false);
    }
  });
}

void Subscriptions::Route(const std::shared_ptr<DurableSubscription>& subscription,
                          v1::AcknowledgeEventsRequest request, DurableSubscription::AcknowledgeCallback done,
                          bool look_first) {
  if (look_first) {
    // On the registry's thread.
    if (absl::Status status = Keep(*subscription, subscription->whole() && subscription->held() == kNoPartitions
                                                      ? PartitionKeeper::Claim::kAll
                                                      : PartitionKeeper::Claim::kPart);
        !status.ok()) {
      std::move(done)(status);
      return;
    }
  }
  const Assignment assignment = subscription->assignment();
  const auto look_and_repeat = [&] {
    Run<v1::AcknowledgeEventsResponse>(
        []() -> absl::StatusOr<v1::AcknowledgeEventsResponse> { return v1::AcknowledgeEventsResponse(); },
        [this, subscription, request = std::move(request),
         done = std::move(done)](absl::StatusOr<v1::AcknowledgeEventsResponse> ready) mutable {
          if (ready.ok()) {
            Route(subscription, std::move(request), std::move(done), /*look_first=*/true);
          } else {
            std::move(done)(ready.status());
          }
        });
  };
  if (subscription->whole()) {
    if (subscription->held() != kNoPartitions || request.settlements_size() > 0) {
      subscription->Acknowledge(request, std::move(done));
      return;
    }
    for (const Assignment::Share& share : assignment.record().shares()) {
      if (share.partitions() == kNoPartitions || share.owner().empty() || !roster_->IsAlive(share.owner())) continue;
      AskToAcknowledge(share.owner(), std::move(request),
                       [name = subscription->name(),
                        done = std::move(done)](absl::StatusOr<v1::AcknowledgeEventsResponse> answer) mutable {
                         // Nobody answers there: soon it is another's.
                         std::move(done)(absl::IsNotFound(answer.status()) ? Moving(name) : std::move(answer));
                       });
      return;
    }
    if (look_first) {
      std::move(done)(Moving(subscription->name()));
    } else {
      look_and_repeat();
    }
    return;
  }
  std::vector<std::optional<AckToken>> tokens;
  tokens.reserve(static_cast<size_t>(request.settlements_size()));
  bool all_own = true;
  bool newer = false;
  const uint64_t own_epoch = subscription->epoch();
  for (const v1::Settlement& settlement : request.settlements()) {
    const auto& token = tokens.emplace_back(context_->tokens.Decode(subscription->id(), settlement.ack_token()));
    if (!token.has_value()) continue;
    all_own = all_own && token->epoch == own_epoch;
    newer = newer || token->epoch > assignment.record().last_epoch();
  }
  if (newer && !look_first) {
    look_and_repeat();
  } else if (all_own) {
    subscription->Acknowledge(request, std::move(done));
  } else {
    SettleAcross(
        request, tokens, *subscription, assignment,
        [this](const std::string& owner, v1::AcknowledgeEventsRequest part,
               DurableSubscription::AcknowledgeCallback take) {
          AskToAcknowledge(owner, std::move(part), std::move(take));
        },
        std::move(done));
  }
}

void Subscriptions::AskToAcknowledge(const std::string& owner, v1::AcknowledgeEventsRequest request,
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

void Subscriptions::AnswerPeer(const std::string& question, PeerChannel::AskCallback answer) {
  using state::v1::SubscriptionQuestion;
  const auto reply = [answer = std::make_shared<PeerChannel::AskCallback>(std::move(answer))](
                         const state::v1::SubscriptionAnswer& given) {
    std::move (*answer)(given.SerializeAsString());
  };
  SubscriptionQuestion asked;
  if (!asked.ParseFromString(question) || asked.question_case() == SubscriptionQuestion::QUESTION_NOT_SET) {
    reply(ToAnswer(absl::InvalidArgumentError("an unknown question")));
    return;
  }
  const std::string& name = asked.subscription();
  state::v1::SubscriptionAnswer given;
  if (asked.has_look()) {
    Look(name);
    reply(given);
    return;
  }
  const std::shared_ptr<DurableSubscription> subscription = Loaded(name);
  if (subscription == nullptr) {
    reply(ToAnswer(absl::NotFoundError("the subscription is not here")));
  } else if (asked.has_stats()) {
    *given.mutable_share() = subscription->ReadStats();
    reply(given);
  } else if (asked.has_acknowledge()) {
    subscription->Acknowledge(asked.acknowledge(), [reply](absl::StatusOr<v1::AcknowledgeEventsResponse> response) {
      state::v1::SubscriptionAnswer settled;
      if (response.ok()) {
        *settled.mutable_acknowledged() = *std::move(response);
      } else {
        settled = ToAnswer(response.status());
      }
      reply(settled);
    });
  } else {
    Run<uint64_t>([subscription, request = asked.replay()] { return subscription->ReplayParked(request); },
                  [reply](absl::StatusOr<uint64_t> replayed) {
                    state::v1::SubscriptionAnswer put_back;
                    if (replayed.ok()) {
                      put_back.set_replayed_events(*replayed);
                    } else {
                      put_back = ToAnswer(replayed.status());
                    }
                    reply(put_back);
                  });
  }
}

absl::StatusOr<std::shared_ptr<FrameSource>> Subscriptions::Open(ConsumerSpec spec) {
  absl::MutexLock lock(&mutex_);
  if (draining_ || stopped_) return Stopping();
  if (consumers_ >= options_.max_consumers) {
    absl::Status status =
        GatewayError(GatewayReason::kOverloaded,
                     absl::StrCat("all ", options_.max_consumers, " consumers' places are taken: repeat later"));
    SetRetryDelay(status, kRetryWhenFull);
    return status;
  }
  ++consumers_;
  return std::make_shared<SubscriptionStream>(
      [this](std::string name, absl::AnyInvocable<void(Found)&&> done) { Find(std::move(name), std::move(done)); },
      std::move(spec), random_.Uuid(),
      [this] {
        absl::MutexLock inner(&mutex_);
        --consumers_;
      });
}

void Subscriptions::Find(std::string name, absl::AnyInvocable<void(Found) &&> done) {
  if (std::shared_ptr<DurableSubscription> loaded = Loaded(name); loaded != nullptr) {
    std::move(done)(std::move(loaded));
    return;
  }
  Run<std::shared_ptr<DurableSubscription>>([this, name = std::move(name)] { return Load(name); }, std::move(done));
}

std::shared_ptr<DurableSubscription> Subscriptions::Loaded(const std::string& name) const {
  absl::MutexLock lock(&mutex_);
  const auto found = loaded_.find(name);
  return found == loaded_.end() || found->second->ended() ? nullptr : found->second;
}

std::vector<std::shared_ptr<DurableSubscription>> Subscriptions::AllLoaded() const {
  std::vector<std::shared_ptr<DurableSubscription>> all;
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, subscription] : loaded_) all.push_back(subscription);
  return all;
}

void Subscriptions::Look(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  if (stopped_ || draining_ || !loaded_.contains(name) || !to_look_at_.insert(name).second) return;
  thread_.Post([this, name] {
    std::shared_ptr<DurableSubscription> subscription;
    {
      absl::MutexLock inner(&mutex_);
      to_look_at_.erase(name);
      if (draining_) return;
      if (const auto found = loaded_.find(name); found != loaded_.end()) subscription = found->second;
    }
    if (subscription == nullptr || subscription->ended()) return;
    if (Keep(*subscription, PartitionKeeper::Claim::kPart).ok() || subscription->ended()) return;
    clock_.CallAfter(kLookAgain, [life = life_, name] {
      absl::MutexLock inner(&life->mutex);
      if (life->self != nullptr) life->self->Look(name);
    });
  });
}

void Subscriptions::LookAtAll() {
  for (const auto& subscription : AllLoaded()) Look(subscription->name());
}

absl::Status Subscriptions::Keep(DurableSubscription& subscription, PartitionKeeper::Claim claim) {
  std::vector<std::string> told;
  const absl::Status status = keeper_.Keep(subscription, claim, told);
  Tell(told, subscription.name());
  return status;
}

void Subscriptions::Tell(const std::vector<std::string>& replicas, const std::string& name) {
  state::v1::SubscriptionQuestion question;
  question.set_subscription(name);
  question.set_look(true);
  absl::flat_hash_set<std::string> told;
  for (const std::string& replica : replicas) {
    if (replica == roster_->self() || !told.insert(replica).second) continue;
    AskPeer(peers_, replica, question, kPeerTimeout, [](const absl::StatusOr<state::v1::SubscriptionAnswer>&) {});
  }
}

Subscriptions::Found Subscriptions::Load(const std::string& name) {
  if (std::shared_ptr<DurableSubscription> loaded = Loaded(name); loaded != nullptr) return loaded;
  const absl::StatusOr<state::v1::SubscriptionRecord> record = ReadSubscription(state_, name);
  if (!record.ok()) return record.status();
  if (absl::Status status = PrepareKey(); !status.ok()) return status;
  std::shared_ptr<DurableSubscription> subscription;
  if (record->specification().mode() == v1::SUBSCRIPTION_MODE_SHARED) {
    subscription = std::make_shared<SharedSubscription>(*context_, *record, options_.limits);
  } else {
    subscription = std::make_shared<CursorSubscription>(*context_, *record);
  }
  if (absl::Status status = Keep(*subscription, PartitionKeeper::Claim::kPart); !status.ok()) return status;
  absl::MutexLock lock(&mutex_);
  if (draining_) return Stopping();
  loaded_[name] = subscription;
  return subscription;
}

absl::Status Subscriptions::PrepareKey() {
  if (context_ != nullptr) return absl::OkStatus();
  absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state_, kKeys, kTokenKey);
  if (stored.ok() && !stored->has_value()) {
    std::string key(kKeyBytes, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) != 1) std::abort();
    // Whoever is first makes it; the others read it.
    WriteNow(state_, {{kKeys, kTokenKey, key, 0}});
    stored = GetNow(state_, kKeys, kTokenKey);
  }
  if (!stored.ok()) return StoreFailed(stored.status());
  if (!stored->has_value() || (*stored)->value.size() != kKeyBytes) {
    return StoreFailed(absl::UnavailableError("the key of the acknowledgement tokens is not there"));
  }
  tokens_ = std::make_unique<AckTokens>((*stored)->value);
  context_ = std::make_unique<SubscriptionContext>(
      SubscriptionContext{hub_, state_, clock_, random_, metrics_, *tokens_, *roster_,
                          EventStreamContext{hub_, clock_, random_, events_metrics_, options_.stream},
                          [this](const std::string& name) {
                            if (!roster_->alone()) Look(name);
                          },
                          options_.visibility_of});
  return absl::OkStatus();
}

absl::StatusOr<v1::Subscription> Subscriptions::Describe(const std::string& name) {
  const absl::StatusOr<state::v1::SubscriptionRecord> record = ReadSubscription(state_, name);
  if (!record.ok()) return record.status();
  return Describe(*record);
}

absl::StatusOr<v1::Subscription> Subscriptions::Describe(const state::v1::SubscriptionRecord& record) {
  const std::string& name = record.specification().name();
  const Found found = Load(name);
  if (!found.ok()) return found.status();
  const absl::StatusOr<StoredAssignment> stored = ReadAssignment(state_, record.id());
  if (!stored.ok()) return StoreFailed(stored.status());
  state::v1::ShareStats all;
  all.set_floor(UINT64_MAX);
  state::v1::SubscriptionQuestion question;
  question.set_subscription(name);
  question.set_stats(true);
  for (const Assignment::Share& share : stored->assignment.record().shares()) {
    if (share.owner() == roster_->self() && share.epoch() == (*found)->epoch()) {
      Add((*found)->ReadStats(), all);
      continue;
    }
    if (!share.owner().empty() && roster_->IsAlive(share.owner())) {
      const auto answer = AskPeerNow(peers_, share.owner(), question, kStatsTimeout);
      if (answer.ok()) {
        Add(answer->share(), all);
        continue;
      }
    }
    const absl::StatusOr<state::v1::ShareStats> kept =
        ReadStoredStats(state_, hub_.log(), record.id(), share, (*found)->whole());
    if (!kept.ok()) return StoreFailed(kept.status());
    Add(*kept, all);
  }
  v1::Subscription subscription = record.specification();
  *subscription.mutable_create_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(record.create_ms());
  *subscription.mutable_stats() = Finish(all, hub_.log(), clock_.Now());
  return subscription;
}

absl::StatusOr<v1::ListSubscriptionsResponse> Subscriptions::ListNowOf(const std::optional<std::string>& owner,
                                                                       const v1::ListSubscriptionsRequest& request) {
  const size_t most = request.page_size() == 0 ? 100 : request.page_size();
  const std::string prefix = owner.has_value() ? OwnedName(*owner, "") : "";
  std::string after = request.page_token().empty() ? "" : absl::StrCat(prefix, request.page_token());
  v1::ListSubscriptionsResponse response;
  while (true) {
    const absl::StatusOr<std::vector<StateEntry>> entries = ListNow(state_, kSubscriptions, prefix, after, most + 1);
    if (!entries.ok()) return StoreFailed(entries.status());
    for (const StateEntry& entry : *entries) {
      after = entry.key;
      // Those of whoever has no name stand among the others' keys.
      if (owner.has_value() && OwnerOf(entry.key) != *owner) continue;
      if (static_cast<size_t>(response.subscriptions_size()) == most) {
        response.set_next_page_token(response.subscriptions().rbegin()->name().substr(prefix.size()));
        return response;
      }
      absl::StatusOr<v1::Subscription> subscription = Describe(entry.key);
      if (!subscription.ok()) return subscription.status();
      *response.add_subscriptions() = *std::move(subscription);
    }
    if (entries->size() <= most) return response;
  }
}

absl::Status Subscriptions::SeekNow(const std::string& name, const LogStart& target) {
  const absl::StatusOr<state::v1::SubscriptionRecord> record = ReadSubscription(state_, name);
  if (!record.ok()) return record.status();
  const absl::StatusOr<Position> position = ResolveStart(hub_.log(), target);
  if (!position.ok()) return position.status();
  std::vector<std::string> told;
  if (absl::Status status = keeper_.Move(record->id(), *position, told); !status.ok()) return StoreFailed(status);
  LogLine(LogLevel::kInfo, "subscription_seek").Field("subscription", name).Field("after", position->sequence);
  if (const auto loaded = Loaded(name); loaded != nullptr) loaded->Leave("seek");
  Tell(told, name);
  return absl::OkStatus();
}

absl::Status Subscriptions::DeleteNow(const std::string& name) {
  if (absl::Status status = DeleteSubscription(state_, name); !status.ok()) return status;
  std::shared_ptr<DurableSubscription> ended;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = loaded_.find(name); found != loaded_.end()) {
      ended = std::move(found->second);
      loaded_.erase(found);
    }
  }
  if (ended != nullptr) ended->End(SubscriptionNotFound(name));
  Tell(roster_->Others(), name);
  return absl::OkStatus();
}

void Subscriptions::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
  }
  for (const auto& subscription : AllLoaded()) subscription->Drain();
  if (roster_->alone()) return;
  absl::MutexLock lock(&mutex_);
  if (!stopped_) thread_.Post([this] { GiveBackAll(); });
}

void Subscriptions::GiveBackAll() {
  for (const auto& subscription : AllLoaded()) {
    std::vector<std::string> told;
    keeper_.GiveBack(*subscription, told);
    subscription->Leave("shutdown");
    Tell(told, subscription->name());
  }
}

void Subscriptions::Stop() {
  {
    absl::MutexLock lock(&life_->mutex);
    life_->self = nullptr;
  }
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(stopped_, true)) return;
  }
  thread_.Stop();
  GiveBackAll();
  for (const auto& subscription : AllLoaded()) {
    subscription->WriteThrough().IgnoreError();
    subscription->End(Stopping());
  }
  roster_->Stop(/*leave=*/true);
}

}  // namespace aulm::gateway
