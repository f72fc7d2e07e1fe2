#include "service/events/subscriptions/subscriptions.h"

#include <openssl/rand.h>

#include <cstdlib>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "google/protobuf/util/message_differencer.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/events/subscriptions/blocking_state.h"
#include "service/events/subscriptions/cursor_subscription.h"
#include "service/events/subscriptions/parked_records.h"
#include "service/events/subscriptions/shared_subscription.h"

namespace aulm::gateway {
namespace {

constexpr char kSubscriptions[] = "subscriptions";
constexpr char kPositions[] = "subscription_positions";
constexpr char kAcks[] = "subscription_acks";
constexpr char kKeys[] = "subscription_keys";
constexpr char kTokenKey[] = "ack_tokens";
constexpr size_t kKeyBytes = 32;
constexpr absl::Duration kWriteGrace = absl::Seconds(3);
constexpr absl::Duration kPeerTimeout = absl::Seconds(2);
constexpr absl::Duration kRetryWhenFull = absl::Seconds(5);
// The first byte of a question to a peer.
constexpr char kAskAlive = 'a';
constexpr char kAskAcknowledge = 's';

absl::Status StoreFailed(const absl::Status& cause) {
  return GatewayError(GatewayReason::kStoreUnavailable,
                      absl::StrCat("subscriptions cannot be read or stored: ", cause.message()));
}

absl::Status NotFound(const std::string& name) {
  absl::Status status = GatewayError(GatewayReason::kSubscriptionNotFound,
                                     absl::StrCat("there is no subscription ", name, ": create it first"));
  SetResourceInfo(status, "subscription", name, "not found");
  return status;
}

absl::Status Stopping() {
  return GatewayError(GatewayReason::kDraining, "the gateway is shutting down: connect to another replica, or later");
}

absl::Status Overloaded(absl::string_view message) {
  absl::Status status = GatewayError(GatewayReason::kOverloaded, message);
  SetRetryDelay(status, kRetryWhenFull);
  return status;
}

// That the subscription is in another replica's hands, and whose.
constexpr char kOwnerKey[] = "owner";

absl::Status HeldBy(const std::string& owner) {
  return GatewayError(GatewayReason::kDraining, "another replica has the subscription: connect to that one",
                      {{kOwnerKey, owner}});
}

std::string OwnerOf(const absl::Status& status) {
  const std::optional<ErrorDetails> details = DetailsOf(status);
  if (!details.has_value()) return "";
  const auto owner = details->metadata.find(kOwnerKey);
  return owner == details->metadata.end() ? "" : owner->second;
}

}  // namespace

// Finds the subscription in Start; from then on everything goes to its own source.
class Subscriptions::Stream final : public FrameSource, public std::enable_shared_from_this<Subscriptions::Stream> {
 public:
  Stream(Subscriptions& subscriptions, ConsumerSpec spec, std::string id)
      : subscriptions_(subscriptions), spec_(std::move(spec)), id_(std::move(id)) {}

  void Start(StartCallback done) override {
    subscriptions_.Find(spec_.subscription, [self = shared_from_this(), done = std::move(done)](Found found) mutable {
      self->OnFound(std::move(found), std::move(done));
    });
  }
  void Next(FrameCallback done) override { source()->Next(std::move(done)); }
  void Close() override {
    std::shared_ptr<FrameSource> source;
    {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(closed_, true)) return;
      source = source_;
    }
    if (source != nullptr) source->Close();
    absl::MutexLock lock(&subscriptions_.mutex_);
    --subscriptions_.consumers_;
  }
  const std::string& id() const override { return id_; }
  Totals totals() const override {
    const std::shared_ptr<FrameSource> found = source();
    return found == nullptr ? Totals{} : found->totals();
  }

 private:
  std::shared_ptr<FrameSource> source() const {
    absl::MutexLock lock(&mutex_);
    return source_;
  }

  void OnFound(Found found, StartCallback done) {
    absl::StatusOr<std::shared_ptr<FrameSource>> source =
        found.ok() ? (*found)->AddConsumer(spec_) : absl::StatusOr<std::shared_ptr<FrameSource>>(found.status());
    if (!source.ok()) {
      std::move(done)(source.status());
      return;
    }
    bool closed;
    {
      absl::MutexLock lock(&mutex_);
      closed = closed_;
      if (!closed) source_ = *source;
    }
    if (closed) {
      std::move(done)(absl::CancelledError("the stream was closed"));
      return;
    }
    (*source)->Start(
        [self = shared_from_this(), source = *source, done = std::move(done)](absl::Status status) mutable {
          // Close may have come before the source was ready to be closed.
          bool gone;
          {
            absl::MutexLock lock(&self->mutex_);
            gone = self->closed_;
          }
          if (gone) source->Close();
          std::move(done)(std::move(status));
        });
  }

  Subscriptions& subscriptions_;
  const ConsumerSpec spec_;
  const std::string id_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<FrameSource> source_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

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
      life_(std::make_shared<Life>()) {
  {
    absl::MutexLock lock(&life_->mutex);
    life_->self = this;
  }
  Measure();
}

Subscriptions::~Subscriptions() { Stop(); }

void Subscriptions::Measure() {
  clock_.CallAfter(options_.measure_interval, [life = life_] {
    absl::MutexLock lock(&life->mutex);
    if (life->self == nullptr) return;
    life->self->thread_.Post([self = life->self] {
      for (const auto& subscription : self->AllLoaded()) subscription->ReadStats();
    });
    life->self->Measure();
  });
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
  Run<v1::Subscription>([this, subscription = std::move(subscription)] { return CreateNow(subscription); },
                        std::move(done));
}

void Subscriptions::Get(std::string name, Callback<v1::Subscription> done) {
  Run<v1::Subscription>([this, name = std::move(name)] { return Describe(name); }, std::move(done));
}

void Subscriptions::List(v1::ListSubscriptionsRequest request, Callback<v1::ListSubscriptionsResponse> done) {
  Run<v1::ListSubscriptionsResponse>([this, request = std::move(request)] { return ListAll(request); },
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
        const Found found = Load(name);
        if (!found.ok()) return found.status();
        const absl::StatusOr<Position> position = ResolveStart(hub_.log(), target);
        if (!position.ok()) return position.status();
        if (absl::Status status = (*found)->Seek(*position); !status.ok()) return status;
        LogLine(LogLevel::kInfo, "subscription_seek").Field("subscription", name).Field("after", position->sequence);
        return Describe(name);
      },
      std::move(done));
}

void Subscriptions::ListParked(v1::ListParkedEventsRequest request, Callback<v1::ListParkedEventsResponse> done) {
  Run<v1::ListParkedEventsResponse>(
      [this, request = std::move(request)]() -> absl::StatusOr<v1::ListParkedEventsResponse> {
        const Found found = Load(request.subscription());
        if (!found.ok()) return found.status();
        return (*found)->ListParked(request);
      },
      std::move(done));
}

void Subscriptions::ReplayParked(v1::ReplayParkedEventsRequest request, Callback<v1::ReplayParkedEventsResponse> done) {
  Run<v1::ReplayParkedEventsResponse>(
      [this, request = std::move(request)]() -> absl::StatusOr<v1::ReplayParkedEventsResponse> {
        const Found found = Load(request.subscription());
        if (!found.ok()) return found.status();
        const absl::StatusOr<uint64_t> replayed = (*found)->ReplayParked(request);
        if (!replayed.ok()) return replayed.status();
        v1::ReplayParkedEventsResponse response;
        response.set_replayed_events(*replayed);
        return response;
      },
      std::move(done));
}

void Subscriptions::Acknowledge(v1::AcknowledgeEventsRequest request, DurableSubscription::AcknowledgeCallback done) {
  std::string name = request.subscription();
  Find(std::move(name), [this, request = std::move(request), done = std::move(done)](Found found) mutable {
    if (found.ok()) {
      (*found)->Acknowledge(request, std::move(done));
      return;
    }
    const std::string owner = OwnerOf(found.status());
    if (owner.empty()) {
      std::move(done)(found.status());
      return;
    }
    peers_.Ask(owner, absl::StrCat(std::string(1, kAskAcknowledge), request.SerializeAsString()), kPeerTimeout,
               [done = std::move(done)](absl::StatusOr<std::string> answer) mutable {
                 v1::AcknowledgeEventsResponse response;
                 if (!answer.ok()) {
                   std::move(done)(StoreFailed(answer.status()));
                 } else if (!response.ParseFromString(*answer)) {
                   std::move(done)(StoreFailed(absl::UnavailableError("the owner's answer cannot be read")));
                 } else {
                   std::move(done)(std::move(response));
                 }
               });
  });
}

void Subscriptions::AnswerPeer(const std::string& question, PeerChannel::AskCallback answer) {
  if (question.empty()) {
    std::move(answer)(absl::InvalidArgumentError("an empty question"));
    return;
  }
  if (question.front() == kAskAlive) {
    std::move(answer)(std::string());
    return;
  }
  v1::AcknowledgeEventsRequest request;
  if (question.front() != kAskAcknowledge || !request.ParseFromString(question.substr(1))) {
    std::move(answer)(absl::InvalidArgumentError("an unknown question"));
    return;
  }
  const std::shared_ptr<DurableSubscription> subscription = Loaded(request.subscription());
  if (subscription == nullptr) {
    std::move(answer)(absl::NotFoundError("the subscription is not here"));
    return;
  }
  subscription->Acknowledge(
      request, [answer = std::move(answer)](absl::StatusOr<v1::AcknowledgeEventsResponse> response) mutable {
        if (response.ok()) {
          std::move(answer)(response->SerializeAsString());
        } else {
          std::move(answer)(response.status());
        }
      });
}

absl::StatusOr<std::shared_ptr<FrameSource>> Subscriptions::Open(ConsumerSpec spec) {
  absl::MutexLock lock(&mutex_);
  if (draining_ || stopped_) return Stopping();
  if (consumers_ >= options_.max_consumers) {
    return Overloaded(absl::StrCat("all ", options_.max_consumers, " consumers' places are taken: repeat later"));
  }
  ++consumers_;
  return std::make_shared<Stream>(*this, std::move(spec), random_.Uuid());
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

Subscriptions::Found Subscriptions::Load(const std::string& name) {
  if (std::shared_ptr<DurableSubscription> loaded = Loaded(name); loaded != nullptr) return loaded;
  const absl::StatusOr<state::v1::SubscriptionRecord> record = ReadRecord(name);
  if (!record.ok()) return record.status();
  if (absl::Status status = PrepareKey(); !status.ok()) return status;
  if (const std::string owner = LivingOwner(record->id()); !owner.empty()) return HeldBy(owner);
  std::shared_ptr<DurableSubscription> subscription;
  if (record->specification().mode() == v1::SUBSCRIPTION_MODE_SHARED) {
    subscription = std::make_shared<SharedSubscription>(*context_, *record, options_.limits);
  } else {
    subscription = std::make_shared<CursorSubscription>(*context_, *record);
  }
  if (absl::Status status = subscription->Load(); !status.ok()) {
    return absl::IsAborted(status) ? StoreFailed(absl::UnavailableError("another replica was faster")) : status;
  }
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
  context_ = std::make_unique<SubscriptionContext>(SubscriptionContext{
      hub_, state_, clock_, random_, metrics_, *tokens_,
      EventStreamContext{hub_, clock_, random_, events_metrics_, options_.stream}, std::string(peers_.Self())});
  return absl::OkStatus();
}

std::string Subscriptions::LivingOwner(const std::string& id) {
  const absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state_, kPositions, id);
  state::v1::SubscriptionPosition position;
  if (!stored.ok() || !stored->has_value() || !position.ParseFromString((*stored)->value)) return "";
  if (position.owner().empty() || position.owner() == peers_.Self()) return "";
  bool answers = false;
  absl::Notification asked;
  peers_.Ask(position.owner(), std::string(1, kAskAlive), kPeerTimeout, [&](const absl::StatusOr<std::string>& answer) {
    answers = answer.ok();
    asked.Notify();
  });
  asked.WaitForNotification();
  return answers ? position.owner() : "";
}

absl::StatusOr<state::v1::SubscriptionRecord> Subscriptions::ReadRecord(const std::string& name) {
  const absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state_, kSubscriptions, name);
  if (!stored.ok()) return StoreFailed(stored.status());
  if (!stored->has_value()) return NotFound(name);
  state::v1::SubscriptionRecord record;
  if (!record.ParseFromString((*stored)->value)) {
    return StoreFailed(absl::DataLossError(absl::StrCat("subscription ", name, " cannot be decoded")));
  }
  return record;
}

absl::StatusOr<v1::Subscription> Subscriptions::CreateNow(NewSubscription subscription) {
  const std::string& name = subscription.specification.name();
  const auto equal_or_taken = [&](const state::v1::SubscriptionRecord& there) -> absl::StatusOr<v1::Subscription> {
    if (google::protobuf::util::MessageDifferencer::Equals(there.specification(), subscription.specification)) {
      return Describe(name);
    }
    absl::Status status = GatewayError(
        GatewayReason::kSubscriptionExists,
        absl::StrCat("subscription ", name, " exists with another specification: delete it first, or choose a name"));
    SetResourceInfo(status, "subscription", name, "exists");
    return status;
  };
  const absl::StatusOr<state::v1::SubscriptionRecord> there = ReadRecord(name);
  if (there.ok()) return equal_or_taken(*there);
  if (!HasReason(there.status(), GatewayReason::kSubscriptionNotFound)) return there.status();
  const absl::StatusOr<std::vector<StateEntry>> all =
      ListNow(state_, kSubscriptions, "", "", options_.max_subscriptions);
  if (!all.ok()) return StoreFailed(all.status());
  if (all->size() >= options_.max_subscriptions) {
    return Overloaded(absl::StrCat("there are ", options_.max_subscriptions, " subscriptions: delete one first"));
  }
  const absl::StatusOr<Position> start = ResolveStart(hub_.log(), subscription.start);
  if (!start.ok()) return start.status();

  state::v1::SubscriptionRecord record;
  *record.mutable_specification() = subscription.specification;
  record.set_id(random_.Uuid());
  record.set_create_ms(absl::ToUnixMillis(clock_.Now()));
  state::v1::SubscriptionPosition position;
  position.set_log_epoch(hub_.log().Info().epoch);
  position.set_floor(start->sequence);
  position.set_fingerprint(start->fingerprint);
  // The position first: a subscription without one would be of no use.
  const auto positioned = WriteNow(state_, {{kPositions, record.id(), position.SerializeAsString(), 0}});
  if (!positioned[0].ok()) return StoreFailed(positioned[0].status());
  const auto named = WriteNow(state_, {{kSubscriptions, name, record.SerializeAsString(), 0}});
  if (!named[0].ok()) {
    WriteNow(state_, {{kPositions, record.id(), std::nullopt, std::nullopt}});
    if (!absl::IsAborted(named[0].status())) return StoreFailed(named[0].status());
    const absl::StatusOr<state::v1::SubscriptionRecord> faster = ReadRecord(name);
    return faster.ok() ? equal_or_taken(*faster) : faster.status();
  }
  LogLine(LogLevel::kInfo, "subscription_created")
      .Field("subscription", name)
      .Field("mode", v1::SubscriptionMode_Name(subscription.specification.mode()))
      .Field("after_sequence", start->sequence);
  return Describe(name);
}

absl::StatusOr<v1::Subscription> Subscriptions::Describe(const std::string& name) {
  const Found found = Load(name);
  if (!found.ok()) return found.status();
  const state::v1::SubscriptionRecord& record = (*found)->record();
  v1::Subscription subscription = record.specification();
  *subscription.mutable_create_time() = google::protobuf::util::TimeUtil::MillisecondsToTimestamp(record.create_ms());
  *subscription.mutable_stats() = (*found)->ReadStats();
  return subscription;
}

absl::StatusOr<v1::ListSubscriptionsResponse> Subscriptions::ListAll(const v1::ListSubscriptionsRequest& request) {
  const size_t most = request.page_size() == 0 ? 100 : request.page_size();
  const absl::StatusOr<std::vector<StateEntry>> entries =
      ListNow(state_, kSubscriptions, "", request.page_token(), most + 1);
  if (!entries.ok()) return StoreFailed(entries.status());
  v1::ListSubscriptionsResponse response;
  for (const StateEntry& entry : *entries) {
    if (static_cast<size_t>(response.subscriptions_size()) == most) {
      response.set_next_page_token(response.subscriptions(response.subscriptions_size() - 1).name());
      break;
    }
    absl::StatusOr<v1::Subscription> subscription = Describe(entry.key);
    if (!subscription.ok()) return subscription.status();
    *response.add_subscriptions() = *std::move(subscription);
  }
  return response;
}

absl::Status Subscriptions::DeleteNow(const std::string& name) {
  const absl::StatusOr<state::v1::SubscriptionRecord> record = ReadRecord(name);
  if (!record.ok()) return record.status();
  const auto deleted = WriteNow(state_, {{kSubscriptions, name, std::nullopt, std::nullopt}});
  if (!deleted[0].ok()) return StoreFailed(deleted[0].status());
  std::shared_ptr<DurableSubscription> ended;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = loaded_.find(name); found != loaded_.end()) {
      ended = std::move(found->second);
      loaded_.erase(found);
    }
  }
  if (ended != nullptr) ended->End(NotFound(name));
  LogLine(LogLevel::kInfo, "subscription_deleted").Field("subscription", name);
  // The rest means nothing without the record: what fails here only takes room.
  WriteNow(state_, {{kPositions, record->id(), std::nullopt, std::nullopt}});
  const std::string prefix = absl::StrCat(record->id(), "/");
  for (const char* const bucket : {kAcks, kParkedEvents}) {
    if (absl::Status status = DeleteAllNow(state_, bucket, prefix); !status.ok()) {
      LogLine(LogLevel::kWarn, "subscription_leftovers").Field("subscription", name).Field("bucket", bucket);
    }
  }
  return absl::OkStatus();
}

void Subscriptions::Drain() {
  {
    absl::MutexLock lock(&mutex_);
    draining_ = true;
  }
  for (const auto& subscription : AllLoaded()) subscription->Drain();
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
  for (const auto& subscription : AllLoaded()) {
    subscription->AwaitWrites(kWriteGrace);
    subscription->End(Stopping());
  }
}

}  // namespace aulm::gateway
