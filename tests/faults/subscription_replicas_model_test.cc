// Plays the life of a SHARED subscription on two or three replicas over one log and one store many times: consumers
// come and go on all of them, settle on whichever they like, refuse, die; replicas are killed, drained, cut off from
// the store and from each other until their lease is over, and started anew. Time moves only when the test says so.
// What the consumers saw is held against what they were promised (ReplicasHistory): nothing skipped, order within a
// conversation, one outstanding a conversation, no stale settlement takes effect, nothing handed out without a lease,
// no event comes again without a cause; moving partitions is none.
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
#include "tests/faults/replicas_history.h"
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

// The clock of all replicas. Remembers what it told each thread last: a replica looks at the clock when it decides what
// to hand out, and gives the frame away on the same thread, so that is when the frame was decided on.
class DecisionClock final : public Clock {
 public:
  explicit DecisionClock(FakeClock& clock) : clock_(clock) {}

  absl::Time Now() const override { return told_ = clock_.Now(); }
  TimerId CallAfter(absl::Duration delay, std::function<void()> callback) override {
    return clock_.CallAfter(delay, std::move(callback));
  }
  bool Cancel(TimerId timer) override { return clock_.Cancel(timer); }

  static absl::Time told() { return told_; }
  // What was decided on before, and is given away after something else was.
  static void SetTold(absl::Time told) { told_ = told; }

 private:
  FakeClock& clock_;
  static thread_local absl::Time told_;
};
thread_local absl::Time DecisionClock::told_;

// The store as one replica reaches it, which tells when the replica's lease is renewed.
class RenewalWatch final : public StateStore {
 public:
  RenewalWatch(std::string replica, StateStore& store, ReplicasHistory& history)
      : replica_(std::move(replica)), store_(store), history_(history) {}

  void Write(std::vector<StateWrite> writes, Durability durability, WriteCallback done) override {
    for (const StateWrite& write : writes) {
      if (write.bucket == "replicas" && write.key == replica_ && write.value.has_value()) history_.Renewed(replica_);
    }
    store_.Write(std::move(writes), durability, std::move(done));
  }
  void Get(std::string bucket, std::string key, GetCallback done) override {
    store_.Get(std::move(bucket), std::move(key), std::move(done));
  }
  void List(std::string bucket, std::string prefix, std::string after_key, size_t limit, ListCallback done) override {
    store_.List(std::move(bucket), std::move(prefix), std::move(after_key), limit, std::move(done));
  }

 private:
  const std::string replica_;
  StateStore& store_;
  ReplicasHistory& history_;
};

// A consumer that takes whatever it is given until it goes.
class Taker : public std::enable_shared_from_this<Taker> {
 public:
  Taker(uint64_t id, std::string replica, std::shared_ptr<FrameSource> source, ReplicasHistory& history)
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
    history_.Returned(id_);
  }
  // Its replica dies: nothing more of it reaches anybody. What it had is lost when the replica's lease is over, not
  // before.
  void Die() {
    absl::MutexLock lock(&mutex_);
    dead_ = true;
  }
  // After its death.
  void Bury() {
    {
      absl::MutexLock lock(&mutex_);
      ended_ = true;
    }
    source_->Close();
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
    const absl::Time decided = DecisionClock::told();
    if (!frame.ok()) return End();
    const v1::SubscribeEventsResponse response = DecodeFrame(*frame);
    {
      absl::MutexLock lock(&mutex_);
      if (dead_) return;
      // What it holds goes back when it is told to go.
      if (response.has_drain()) history_.Gone(id_);
      for (const v1::Delivery& delivery : response.event_batch().deliveries()) {
        history_.Came(delivery, id_, replica_, decided);
      }
    }
    Next();
    DecisionClock::SetTold(decided);
  }
  void End() {
    {
      absl::MutexLock lock(&mutex_);
      if (!dead_) history_.Gone(id_);
      if (std::exchange(ended_, true)) return;
    }
    source_->Close();
  }

  const uint64_t id_;
  const std::string replica_;
  const std::shared_ptr<FrameSource> source_;
  ReplicasHistory& history_;
  mutable absl::Mutex mutex_;
  bool ended_ ABSL_GUARDED_BY(mutex_) = false;
  bool dead_ ABSL_GUARDED_BY(mutex_) = false;
};

class Play {
 public:
  explicit Play(uint64_t seed)
      : chance_(seed),
        log_(&clock_),
        state_(clock_),
        network_(std::make_shared<FakePeerNetwork>()),
        history_(clock_, {kAckDeadline, kRetryDelay, kRoster.lease, kRoster.lease - kRoster.renewal / 2}) {
    conversations_ = 1 + static_cast<int>(Chance(20));
    const size_t replicas = 2 + Chance(2);
    for (size_t i = 0; i < replicas; ++i) StartReplica();
    NewSubscription subscription;
    subscription.specification.set_name(kName);
    subscription.specification.set_mode(v1::SUBSCRIPTION_MODE_SHARED);
    subscription.specification.mutable_ack_deadline()->set_seconds(absl::ToInt64Seconds(kAckDeadline));
    subscription.specification.mutable_retry_delay()->set_seconds(absl::ToInt64Seconds(kRetryDelay));
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
  static constexpr absl::Duration kRetryDelay = absl::Seconds(1);
  static constexpr ReplicaRoster::Options kRoster = {};

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
    options.roster = kRoster;
    const std::string name = absl::StrCat("replica-", ++started_);
    stores_.push_back(std::make_unique<RenewalWatch>(name, state_, history_));
    replicas_.push_back(
        std::make_unique<Replica>(name, log_, *stores_.back(), network_, replicas_clock_, random_, options));
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
    // As time passes: renewals in between are heard of.
    while (clock_.Now() < then) {
      clock_.Advance(std::min(absl::Milliseconds(500), then - clock_.Now()));
      for (const auto& replica : replicas_) replica->Get(kName).IgnoreError();
    }
  }

  // Takes the consumers of a replica that is going to be replaced, having done that to each.
  void DropConsumersOf(const std::string& replica, const std::function<void(Taker&)>& what) {
    for (auto it = takers_.begin(); it != takers_.end();) {
      if ((*it)->replica() == replica) {
        what(**it);
        it = takers_.erase(it);
      } else {
        ++it;
      }
    }
  }
  void Replace(size_t which) {
    replicas_.erase(replicas_.begin() + static_cast<std::ptrdiff_t>(which));
    StartReplica();
  }

  void Kill() {
    const size_t which = Chance(replicas_.size());
    const std::string name = replicas_[which]->name();
    for (const auto& taker : takers_) {
      if (taker->replica() == name) taker->Die();
    }
    replicas_[which]->Kill();
    DropConsumersOf(name, [](Taker& taker) { taker.Bury(); });
    Replace(which);
  }

  void DrainOne() {
    const size_t which = Chance(replicas_.size());
    const std::string name = replicas_[which]->name();
    for (const auto& taker : takers_) {
      if (taker->replica() == name) history_.Gone(taker->id());
    }
    (*replicas_[which])->Drain();
    DropConsumersOf(name, [](Taker& taker) { taker.Leave(); });
    Replace(which);
  }

  void CutOff() {
    Replica& replica = Any();
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
        for (const Seen& seen : history_.Unsettled()) {
          absl::StrAppend(&state, seen.event, " unsettled on ", seen.replica, " of consumer ", seen.consumer, "\n");
        }
        ADD_FAILURE() << "never came: " << history_.Missing() << "\n" << state << "at " << clock_.Now();
        return;
      }
      takers_.erase(std::remove_if(takers_.begin(), takers_.end(), [](const auto& taker) { return taker->ended(); }),
                    takers_.end());
      while (takers_.size() < 3) Join();
      for (const Seen& seen : history_.Unsettled()) Settle(seen, v1::SETTLEMENT_ACTION_ACK);
      history_.AwaitArrival();
      Advance(absl::Milliseconds(500));
    }
  }

  // Everything was settled, and the gateway knows. A settlement that nobody answered may have had no effect: then its
  // event comes once more.
  bool Done() {
    if (!history_.Complete()) return false;
    const absl::StatusOr<v1::Subscription> subscription = replicas_.front()->Get(kName);
    return subscription.ok() && subscription->stats().lag_events() == 0;
  }

  std::mt19937_64 chance_;
  FakeClock clock_;
  DecisionClock replicas_clock_{clock_};
  FakeRandom random_;
  FakeEventLog log_;
  FakeStateStore state_;
  const std::shared_ptr<FakePeerNetwork> network_;
  ReplicasHistory history_;
  int conversations_ = 0;
  int events_ = 0;
  int started_ = 0;
  uint64_t consumers_ = 0;
  std::vector<std::unique_ptr<RenewalWatch>> stores_;  // of all replicas that there ever were
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
