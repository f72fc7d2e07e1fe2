#include "service/events/subscriptions/subscriptions.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/subscriptions/cursor_subscription.h"
#include "service/events/subscriptions/forwarded_settlements.h"
#include "service/events/subscriptions/owned_name.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/shared_subscription.h"
#include "service/events/subscriptions/subscription_records.h"
#include "service/events/subscriptions/subscription_stats.h"
#include "service/events/subscriptions/subscription_stream.h"
#include "service/events/subscriptions/token_key.h"

namespace aulm::gateway {
namespace {

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
    : options_(options),
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
      others_(peers, *roster_, state, hub.log()),
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
      // Nobody has asked for it since. Where there are other replicas, Look sees to it.
      if (roster_->alone()) Unload(*subscription);
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
      [this, name = std::move(name), target]() -> absl::StatusOr<v1::Subscription> {
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
  others_.Replay(**found, std::move(request), std::move(done));
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
         done = std::move(done)](const absl::StatusOr<v1::AcknowledgeEventsResponse>& ready) mutable {
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
      others_.Acknowledge(share.owner(), std::move(request),
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
          others_.Acknowledge(owner, std::move(part), std::move(take));
        },
        std::move(done));
  }
}

void Subscriptions::AnswerPeer(const std::string& question, PeerChannel::AskCallback answer) {
  using state::v1::SubscriptionQuestion;
  const PeerReply reply(std::move(answer));
  SubscriptionQuestion asked;
  if (!asked.ParseFromString(question) || asked.question_case() == SubscriptionQuestion::QUESTION_NOT_SET) {
    return reply.Fail(absl::InvalidArgumentError("an unknown question"));
  }
  state::v1::SubscriptionAnswer given;
  if (asked.has_look()) {
    Look(asked.subscription());
    return reply.Give(given);
  }
  const std::shared_ptr<DurableSubscription> subscription = Loaded(asked.subscription());
  if (subscription == nullptr) {
    reply.Fail(absl::NotFoundError("the subscription is not here"));
  } else if (asked.has_stats()) {
    *given.mutable_share() = subscription->ReadStats();
    reply.Give(given);
  } else if (asked.has_acknowledge()) {
    subscription->Acknowledge(asked.acknowledge(), [reply](const auto& response) { reply.Settled(response); });
  } else {
    Run<uint64_t>([subscription, request = asked.replay()] { return subscription->ReplayParked(request); },
                  [reply](const absl::StatusOr<uint64_t>& replayed) { reply.Replayed(replayed); });
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
    if (subscription == nullptr || LookNow(*subscription)) return;
    clock_.CallAfter(kLookAgain, [life = life_, name] {
      absl::MutexLock inner(&life->mutex);
      if (life->self != nullptr) life->self->Look(name);
    });
  });
}

bool Subscriptions::LookNow(DurableSubscription& subscription) {
  if (!subscription.ended()) return Keep(subscription, PartitionKeeper::Claim::kPart).ok();
  // What has ended still has its share in the assignment, if nobody else took that: others would wait for it as long as
  // this replica lives. Loaded anew, it is left.
  const absl::Status loaded = Load(subscription.name()).status();
  if (!absl::IsNotFound(loaded)) return loaded.ok();
  Unload(subscription);
  return true;
}

void Subscriptions::Unload(const DurableSubscription& subscription) {
  absl::MutexLock lock(&mutex_);
  const auto found = loaded_.find(subscription.name());
  if (found != loaded_.end() && found->second.get() == &subscription) loaded_.erase(found);
}

void Subscriptions::LookAtAll() {
  for (const auto& subscription : AllLoaded()) Look(subscription->name());
}

absl::Status Subscriptions::Keep(DurableSubscription& subscription, PartitionKeeper::Claim claim) {
  std::vector<std::string> told;
  const absl::Status status = keeper_.Keep(subscription, claim, told);
  others_.Tell(told, subscription.name());
  return status;
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
  absl::StatusOr<std::string> key = ReadOrMakeTokenKey(state_);
  if (!key.ok()) return StoreFailed(key.status());
  tokens_ = std::make_unique<AckTokens>(*std::move(key));
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
  const Found found = Load(record.specification().name());
  if (!found.ok()) return found.status();
  const absl::StatusOr<state::v1::ShareStats> all = others_.ReadStats(**found);
  if (!all.ok()) return StoreFailed(all.status());
  v1::Subscription subscription = record.specification();
  *subscription.mutable_create_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(record.create_ms());
  *subscription.mutable_stats() = Finish(*all, hub_.log(), clock_.Now());
  return subscription;
}

absl::StatusOr<v1::ListSubscriptionsResponse> Subscriptions::ListNowOf(const std::optional<std::string>& owner,
                                                                       const v1::ListSubscriptionsRequest& request) {
  const absl::StatusOr<SubscriptionNames> page = ListSubscriptionNames(state_, owner, request);
  if (!page.ok()) return page.status();
  v1::ListSubscriptionsResponse response;
  for (const std::string& name : page->names) {
    absl::StatusOr<v1::Subscription> subscription = Describe(name);
    if (!subscription.ok()) return subscription.status();
    *response.add_subscriptions() = *std::move(subscription);
  }
  response.set_next_page_token(page->next_page_token);
  return response;
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
  others_.Tell(told, name);
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
  others_.Tell(roster_->Others(), name);
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
    others_.Tell(told, subscription->name());
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
