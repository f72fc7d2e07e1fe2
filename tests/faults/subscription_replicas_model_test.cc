// Plays the life of a SHARED subscription on two or three replicas over one log and one store many times: consumers
// come and go on all of them, settle on whichever they like, refuse, die; replicas are killed, drained, cut off from
// the store and from each other until their lease is over, and started anew. Time moves only when the test says so.
// What the consumers saw is held against what they were promised: nothing skipped, order within a conversation, one
// outstanding a conversation, no stale settlement takes effect, no event comes again without a cause; moving partitions
// is none.
#include <algorithm>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/fake_random.h"
#include "tests/support/fake_state_store.h"
#include "tests/support/replica.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

constexpr char kName[] = "bot";
// Nothing waits for this but a test that would never end.
constexpr absl::Duration kPatience = absl::Seconds(60);

// Seeds in one run: AULM_GATEWAY_SEEDS for the long form.
uint64_t Seeds() {
  const char* seeds = std::getenv("AULM_GATEWAY_SEEDS");
  return seeds == nullptr ? 60 : static_cast<uint64_t>(std::atoll(seeds));
}

// One delivery, as its consumer saw it.
struct Seen {
  std::string token;
  std::string event;
  std::string conversation;
  uint64_t consumer = 0;
  std::string replica;
  absl::Time deadline;
  // It may come again: its consumer or replica went, its deadline passed, it was refused.
  bool excused = false;
  // It came again: a settlement can have no effect any more.
  bool superseded = false;
  bool settling = false;
};

// What everybody saw. Deliveries come on the gateways' threads, everything else from the test's.
class History {
 public:
  History(const FakeClock& clock, absl::Duration ack_deadline) : clock_(clock), ack_deadline_(ack_deadline) {}

  void Appended(const std::string& event, const std::string& conversation) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    order_[conversation].push_back(event);
    ++appended_;
  }

  void Came(const v1::Delivery& delivery, uint64_t consumer, const std::string& replica) ABSL_LOCKS_EXCLUDED(mutex_) {
    const std::string& event = delivery.event().delivery_id();
    const std::string& conversation = delivery.event().inbound_message().from();
    absl::MutexLock lock(&mutex_);
    // Under way when its consumer left, or its replica was cut off: somebody else may have the event by now.
    const bool late = gone_.contains(consumer) || severed_.contains(replica);
    if (!late) CheckArrival(event, conversation, replica);
    Seen seen;
    seen.token = delivery.ack_token();
    seen.event = event;
    seen.conversation = conversation;
    seen.consumer = consumer;
    seen.replica = replica;
    seen.deadline = clock_.Now() + ack_deadline_;
    seen.excused = late;
    seen_.push_back(std::move(seen));
    arrivals_ += 1;
  }

  // A delivery to be settled: one that counts, or any.
  std::optional<Seen> Pick(std::mt19937_64& chance, bool any) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::vector<size_t> choice;
    for (size_t i = 0; i < seen_.size(); ++i) {
      if (any || (!seen_[i].excused && !seen_[i].settling)) choice.push_back(i);
    }
    if (choice.empty()) return std::nullopt;
    return seen_[choice[chance() % choice.size()]];
  }
  std::vector<Seen> Outstanding() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::vector<Seen> outstanding;
    for (const Seen& seen : seen_) {
      if (!seen.settling && !seen.superseded) outstanding.push_back(seen);
    }
    return outstanding;
  }

  // What a settlement was when the gateway was asked.
  struct Asked {
    Seen seen;
    v1::SettlementAction action;
    bool stale = false;   // for certain: it can have no effect
    bool before = false;  // the event was perhaps settled already
  };

  // Before the gateway is asked: from then on it may be so.
  Asked Settling(const Seen& which, v1::SettlementAction action) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    Asked asked{which, action};
    asked.before = settled_.contains(which.event);
    for (Seen& seen : seen_) {
      if (seen.token != which.token) continue;
      asked.stale = seen.superseded || (seen.excused && seen.deadline <= clock_.Now());
      seen.settling = true;
      seen.excused = true;
    }
    if (action != v1::SETTLEMENT_ACTION_RETRY) settled_.insert(which.event);
    return asked;
  }
  void Settled(const Asked& asked, const absl::StatusOr<v1::AcknowledgeEventsResponse>& answer)
      ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!answer.ok()) return;  // nobody can know: either is right
    const v1::SettlementEffect effect = answer->results(0).result();
    EXPECT_NE(effect, v1::SETTLEMENT_EFFECT_UNKNOWN);
    if (asked.stale) {
      EXPECT_NE(effect, v1::SETTLEMENT_EFFECT_OK) << "a stale settlement of " << asked.seen.event << " took effect";
    }
    const std::string& event = asked.seen.event;
    if (effect == v1::SETTLEMENT_EFFECT_STALE && !asked.before && !done_.contains(event)) settled_.erase(event);
    if (effect == v1::SETTLEMENT_EFFECT_OK && asked.action != v1::SETTLEMENT_ACTION_RETRY) {
      settled_.insert(event);
      done_.insert(event);
    }
  }

  void Excuse(const std::function<bool(const Seen&)>& which) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    for (Seen& seen : seen_) seen.excused = seen.excused || which(seen);
  }
  void Gone(uint64_t consumer) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    gone_.insert(consumer);
    for (Seen& seen : seen_) seen.excused = seen.excused || seen.consumer == consumer;
  }
  void Severed(const std::string& replica) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    severed_.insert(replica);
  }

  size_t done() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return settled_.size();
  }
  size_t appended() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return appended_;
  }
  // Waits a moment for more to come: only so that time does not run away from the gateways' threads.
  void AwaitArrival() ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    const uint64_t before = arrivals_;
    const auto more = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return arrivals_ != before; };
    mutex_.AwaitWithTimeout(absl::Condition(&more), absl::Milliseconds(5));
  }
  std::string Missing() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::string missing;
    for (const auto& [conversation, events] : order_) {
      for (const std::string& event : events) {
        if (!settled_.contains(event)) absl::StrAppend(&missing, event, " of ", conversation, "; ");
      }
    }
    return missing;
  }

 private:
  // What comes to somebody who is there: it is not settled, nobody else has its conversation, and it is its turn.
  void CheckArrival(const std::string& event, const std::string& conversation, const std::string& replica)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    EXPECT_FALSE(done_.contains(event)) << event << " was settled, durably: it must not come again";
    for (Seen& seen : seen_) {
      if (seen.conversation != conversation) continue;
      EXPECT_TRUE(seen.excused || seen.settling || severed_.contains(seen.replica))
          << event << " came to " << replica << " while " << seen.event << " is outstanding on " << seen.replica;
      if (seen.event == event) seen.superseded = true;
    }
    for (const std::string& earlier : order_[conversation]) {
      if (earlier == event) break;
      EXPECT_TRUE(settled_.contains(earlier)) << earlier << " comes before " << event;
    }
  }

  const FakeClock& clock_;
  const absl::Duration ack_deadline_;
  mutable absl::Mutex mutex_;
  std::map<std::string, std::vector<std::string>> order_ ABSL_GUARDED_BY(mutex_);
  std::vector<Seen> seen_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> settled_ ABSL_GUARDED_BY(mutex_);  // or perhaps
  std::set<std::string> done_ ABSL_GUARDED_BY(mutex_);     // for certain
  std::set<uint64_t> gone_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string> severed_ ABSL_GUARDED_BY(mutex_);  // was cut off at some time: others may have taken over
  size_t appended_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t arrivals_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A consumer that takes whatever it is given until it goes.
class Taker : public std::enable_shared_from_this<Taker> {
 public:
  Taker(uint64_t id, std::string replica, std::shared_ptr<FrameSource> source, History& history)
      : id_(id), replica_(std::move(replica)), source_(std::move(source)), history_(history) {}

  void Begin() {
    source_->Start([self = shared_from_this()](const absl::Status& status) {
      if (status.ok()) {
        self->Next();
      } else {
        self->End();
      }
    });
  }
  void Leave() {
    history_.Gone(id_);
    End();
  }
  bool ended() const {
    absl::MutexLock lock(&mutex_);
    return ended_;
  }
  uint64_t id() const { return id_; }
  const std::string& replica() const { return replica_; }

 private:
  void Next() {
    source_->Next([self = shared_from_this()](absl::StatusOr<Frame> frame) { self->OnFrame(std::move(frame)); });
  }
  void OnFrame(absl::StatusOr<Frame> frame) {
    if (!frame.ok()) return End();
    const v1::SubscribeEventsResponse response = DecodeFrame(*frame);
    // What it holds goes back when it is told to go.
    if (response.has_drain()) history_.Gone(id_);
    for (const v1::Delivery& delivery : response.event_batch().deliveries()) history_.Came(delivery, id_, replica_);
    Next();
  }
  void End() {
    history_.Gone(id_);
    {
      absl::MutexLock lock(&mutex_);
      if (std::exchange(ended_, true)) return;
    }
    source_->Close();
  }

  const uint64_t id_;
  const std::string replica_;
  const std::shared_ptr<FrameSource> source_;
  History& history_;
  mutable absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
};

class Play {
 public:
  explicit Play(uint64_t seed)
      : chance_(seed),
        log_(&clock_),
        state_(clock_),
        network_(std::make_shared<FakePeerNetwork>()),
        history_(clock_, kAckDeadline) {
    conversations_ = 1 + static_cast<int>(Chance(20));
    const size_t replicas = 2 + Chance(2);
    for (size_t i = 0; i < replicas; ++i) StartReplica();
    NewSubscription subscription;
    subscription.specification.set_name(kName);
    subscription.specification.set_mode(v1::SUBSCRIPTION_MODE_SHARED);
    subscription.specification.mutable_ack_deadline()->set_seconds(absl::ToInt64Seconds(kAckDeadline));
    subscription.specification.mutable_retry_delay()->set_seconds(1);
    subscription.specification.set_max_attempts(1000);
    subscription.specification.mutable_parked_retention()->set_seconds(1'000'000);
    subscription.start = Earliest{};
    absl::Notification created;
    (*replicas_.front())->Create(subscription, [&](const absl::StatusOr<v1::Subscription>& made) {
      EXPECT_TRUE(made.ok()) << made.status();
      created.Notify();
    });
    created.WaitForNotification();
  }

  ~Play() {
    for (const auto& taker : takers_) taker->Leave();
    takers_.clear();
    replicas_.clear();
  }

  void Run() {
    for (int step = 0; step < 120 && !testing::Test::HasFailure(); ++step) Step();
    Finish();
  }

 private:
  static constexpr absl::Duration kAckDeadline = absl::Seconds(20);

  uint64_t Chance(uint64_t sides) { return chance_() % sides; }
  Replica& Any() { return *replicas_[Chance(replicas_.size())]; }

  void Step() {
    switch (Chance(20)) {
      case 0:
      case 1:
      case 2:
        for (uint64_t i = Chance(8); i > 0; --i) Append();
        break;
      case 3:
      case 4:
        if (takers_.size() < 6) Join();
        break;
      case 5:
        if (!takers_.empty()) LeaveOne();
        break;
      case 6:
        Advance(absl::Milliseconds(Chance(1500)));
        break;
      case 7:
        if (Chance(6) == 0) Advance(absl::Seconds(12));
        break;
      case 8:
        if (Chance(3) == 0) Kill();
        break;
      case 9:
        if (Chance(3) == 0) DrainOne();
        break;
      case 10:
        if (Chance(3) == 0) CutOff();
        break;
      case 11:
        SettleOne(/*any=*/true, v1::SETTLEMENT_ACTION_ACK);
        break;
      case 12:
        SettleOne(/*any=*/false, v1::SETTLEMENT_ACTION_RETRY);
        break;
      case 13:
        SettleOne(/*any=*/false, v1::SETTLEMENT_ACTION_PARK);
        break;
      case 14:
        Any().Get(kName).IgnoreError();  // lets its thread come so far
        history_.AwaitArrival();
        break;
      default:
        SettleOne(/*any=*/false, v1::SETTLEMENT_ACTION_ACK);
        break;
    }
    takers_.erase(std::remove_if(takers_.begin(), takers_.end(), [](const auto& taker) { return taker->ended(); }),
                  takers_.end());
  }

  void Append() {
    NewEvent event = InboundEvent(static_cast<int>(Chance(static_cast<uint64_t>(conversations_))));
    const std::string id = absl::StrCat("e", ++events_);
    v1::Event encoded;
    ASSERT_TRUE(encoded.ParseFromString(event.event));
    encoded.set_delivery_id(id);
    event.delivery_id = id;
    event.event = encoded.SerializeAsString();
    history_.Appended(id, event.peer);
    AppendNow(log_, std::move(event));
  }

  void StartReplica() {
    SubscriptionsOptions options;
    options.limits.window = 16 + Chance(64);
    options.limits.conversation_window = 2 + Chance(6);
    replicas_.push_back(std::make_unique<Replica>(absl::StrCat("replica-", ++started_), log_, state_, network_, clock_,
                                                  random_, options));
  }

  void Join() {
    Replica& replica = Any();
    ConsumerSpec spec;
    spec.subscription = kName;
    spec.max_outstanding_events = 1 + Chance(5);
    spec.max_batch_events = 1 + Chance(4);
    absl::StatusOr<std::shared_ptr<FrameSource>> source = replica->Open(spec);
    if (!source.ok()) return;
    takers_.push_back(std::make_shared<Taker>(++consumers_, replica.name(), *source, history_));
    takers_.back()->Begin();
  }

  void LeaveOne() {
    const size_t which = Chance(takers_.size());
    takers_[which]->Leave();
    takers_.erase(takers_.begin() + static_cast<std::ptrdiff_t>(which));
  }

  void Advance(absl::Duration step) {
    const absl::Time then = clock_.Now() + step;
    // It may have been handed out a little earlier than it was seen.
    history_.Excuse([&](const Seen& seen) { return seen.deadline - absl::Seconds(3) <= then; });
    // As time passes: renewals in between are heard of.
    while (clock_.Now() < then) {
      clock_.Advance(std::min(absl::Milliseconds(500), then - clock_.Now()));
      for (const auto& replica : replicas_) replica->Get(kName).IgnoreError();
    }
  }

  void DropConsumersOf(const std::string& replica) {
    for (auto it = takers_.begin(); it != takers_.end();) {
      if ((*it)->replica() == replica) {
        (*it)->Leave();
        it = takers_.erase(it);
      } else {
        ++it;
      }
    }
  }
  void ExcuseConsumersOf(const std::string& replica) {
    for (const auto& taker : takers_) {
      if (taker->replica() == replica) history_.Gone(taker->id());
    }
  }
  void Replace(size_t which) {
    DropConsumersOf(replicas_[which]->name());
    replicas_.erase(replicas_.begin() + static_cast<std::ptrdiff_t>(which));
    StartReplica();
  }

  void Kill() {
    const size_t which = Chance(replicas_.size());
    history_.Severed(replicas_[which]->name());
    ExcuseConsumersOf(replicas_[which]->name());
    replicas_[which]->Kill();
    Replace(which);
  }

  void DrainOne() {
    const size_t which = Chance(replicas_.size());
    ExcuseConsumersOf(replicas_[which]->name());
    (*replicas_[which])->Drain();
    Replace(which);
  }

  void CutOff() {
    Replica& replica = Any();
    history_.Severed(replica.name());
    history_.Excuse([&](const Seen& seen) { return seen.replica == replica.name(); });
    replica.Sever(true);
    for (uint64_t i = Chance(6); i > 0; --i) SettleOne(/*any=*/true, v1::SETTLEMENT_ACTION_ACK);
    if (Chance(2) == 0) {
      Advance(absl::Seconds(12));  // the others take over
    } else {
      Advance(absl::Seconds(1));
    }
    for (uint64_t i = Chance(6); i > 0; --i) SettleOne(/*any=*/true, v1::SETTLEMENT_ACTION_ACK);
    replica.Sever(false);
  }

  void SettleOne(bool any, v1::SettlementAction action) {
    const std::optional<Seen> seen = history_.Pick(chance_, any);
    if (seen.has_value()) Settle(*seen, action);
  }

  void Settle(const Seen& seen, v1::SettlementAction action) {
    v1::AcknowledgeEventsRequest request;
    request.set_subscription(kName);
    v1::Settlement& settlement = *request.add_settlements();
    settlement.set_ack_token(seen.token);
    settlement.set_action(action);
    // Nobody waits for the answer: a replica that cannot write gives it later.
    Any()->Acknowledge(
        request, [this, asked = history_.Settling(seen, action)](
                     const absl::StatusOr<v1::AcknowledgeEventsResponse>& answer) { history_.Settled(asked, answer); });
  }

  // From here on nothing more goes wrong: everything has to come to its end.
  void Finish() {
    const absl::Time limit = absl::Now() + kPatience;
    while (!testing::Test::HasFailure() && !Done()) {
      if (absl::Now() > limit) {
        std::string state;
        for (const auto& replica : replicas_) {
          const absl::StatusOr<v1::Subscription> seen = replica->Get(kName);
          absl::StrAppend(&state, replica->name(), ": ",
                          seen.ok() ? seen->stats().ShortDebugString() : seen.status().ToString(), "\n");
        }
        for (const Seen& seen : history_.Outstanding()) {
          absl::StrAppend(&state, seen.event, " outstanding on ", seen.replica, " of consumer ", seen.consumer, "\n");
        }
        ADD_FAILURE() << "never came: " << history_.Missing() << "\n" << state << "at " << clock_.Now();
        return;
      }
      takers_.erase(std::remove_if(takers_.begin(), takers_.end(), [](const auto& taker) { return taker->ended(); }),
                    takers_.end());
      while (takers_.size() < 3) Join();
      for (const Seen& seen : history_.Outstanding()) Settle(seen, v1::SETTLEMENT_ACTION_ACK);
      history_.AwaitArrival();
      Advance(absl::Milliseconds(500));
    }
  }

  // Everything was settled, and the gateway knows. A settlement that nobody answered may have had no effect: then its
  // event comes once more.
  bool Done() {
    if (history_.done() < history_.appended()) return false;
    const absl::StatusOr<v1::Subscription> subscription = replicas_.front()->Get(kName);
    return subscription.ok() && subscription->stats().lag_events() == 0;
  }

  std::mt19937_64 chance_;
  FakeClock clock_;
  FakeRandom random_;
  FakeEventLog log_;
  FakeStateStore state_;
  const std::shared_ptr<FakePeerNetwork> network_;
  History history_;
  int conversations_ = 0;
  int events_ = 0;
  int started_ = 0;
  uint64_t consumers_ = 0;
  std::vector<std::unique_ptr<Replica>> replicas_;
  std::vector<std::shared_ptr<Taker>> takers_;
};

TEST(SubscriptionReplicasModelTest, EveryLifeOfTheReplicasKeepsThePromises) {
  for (uint64_t seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Play(seed).Run();
  }
}

}  // namespace
}  // namespace aulm::gateway
