// Plays the life of a SHARED subscription many thousand times: random conversations, consumers that join, die, drain,
// acknowledge late or refuse, a window far too small, and a gateway that is killed between any two steps, also in the
// middle of a batch of writes. Every handing out is held against what a reader of the history may expect: nothing
// skipped, order within a conversation, one outstanding a conversation, no stale settlement, no needless redelivery.
#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "gtest/gtest.h"
#include "service/events/subscriptions/shared_ledger.h"

namespace aulm::gateway {
namespace {

using Action = SharedLedger::Action;

// Seeds in one run: AULM_GATEWAY_SEEDS for the long form.
uint64_t Seeds() {
  const char* seeds = std::getenv("AULM_GATEWAY_SEEDS");
  return seeds == nullptr ? 1000 : static_cast<uint64_t>(std::atoll(seeds));
}

// What survives the gateway.
struct Store {
  uint64_t floor = 0;
  uint64_t revision = 0;
  std::map<uint64_t, std::pair<std::string, uint64_t>> blocks;
  std::set<uint64_t> parked;
};

class Play {
 public:
  explicit Play(uint64_t seed) : chance_(seed) {
    conversations_ = 1 + chance_() % 12;
    rules_.max_attempts = 1 + static_cast<uint32_t>(chance_() % 5);
    rules_.ack_deadline = absl::Seconds(1 + static_cast<int>(chance_() % 20));
    rules_.retry_delay = absl::Seconds(static_cast<int>(chance_() % 3));
    limits_.window = 4 + chance_() % 30;
    limits_.conversation_window = 1 + chance_() % 6;
    limits_.ready = 1 + chance_() % 20;
    Restart();
  }

  void Run() {
    for (int step = 0; step < 400 && !testing::Test::HasFailure(); ++step) Step();
    // From here on nothing more goes wrong: everything has to come to its end.
    for (int guard = 0; guard < 20'000 && !Done() && !testing::Test::HasFailure(); ++guard) {
      now_ += absl::Milliseconds(500);
      Read();
      if (consumers_.empty()) Join();
      Take();
      while (!outstanding_.empty()) SettleOne(Action::kAck);
      Flush(/*crash=*/false);
    }
    for (const auto& [sequence, conversation] : log_) {
      if (conversation == 0) continue;
      EXPECT_TRUE(handled_.contains(sequence) || store_.parked.contains(sequence)) << sequence << " was skipped";
    }
    EXPECT_EQ(store_.floor, head_);
    EXPECT_TRUE(store_.blocks.empty() || store_.blocks.size() == 1);
    EXPECT_EQ(ledger_->positions(), 0u);
  }

 private:
  struct Delivery {
    Handout handout;
    uint64_t life;  // of the gateway
  };

  uint64_t Chance(uint64_t sides) { return chance_() % sides; }

  bool Done() const { return store_.floor == head_; }

  void Step() {
    switch (Chance(16)) {
      case 0:
      case 1:
        Append();
        break;
      case 2:
      case 3:
        Read();
        break;
      case 4:
      case 5:
      case 6:
        Take();
        break;
      case 7:
      case 8:
      case 9:
        SettleOne(Chance(3) > 0 ? Action::kAck : static_cast<Action>(Chance(5)));
        break;
      case 10:
        SettleStale();
        break;
      case 11:
        now_ += absl::Milliseconds(Chance(4) == 0 ? Chance(30'000) : Chance(1000));
        Reconcile();
        break;
      case 12:
        Join();
        break;
      case 13:
        if (Chance(2) == 0) LeaveOne();
        break;
      case 14:
        Flush(/*crash=*/false);
        break;
      case 15:
        if (Chance(8) == 0) Flush(/*crash=*/true);
        break;
    }
  }

  void Append() {
    for (uint64_t i = Chance(10); i > 0; --i) {
      head_ += Chance(10) == 0 ? 2 : 1;                               // logs have gaps
      log_[head_] = Chance(6) == 0 ? 0 : 1 + Chance(conversations_);  // 0: the filter leaves it out
    }
  }

  std::vector<FoundEvent> Page(uint64_t after, uint64_t& through) {
    std::vector<FoundEvent> found;
    through = std::min(head_, after + 1 + Chance(20));
    for (auto it = log_.upper_bound(after); it != log_.end() && it->first <= through; ++it) {
      if (it->second != 0) found.push_back({it->first, it->second});
    }
    return found;
  }

  void Read() {
    uint64_t through = 0;
    if (const auto after = ledger_->RefillAfter(); after.has_value()) {
      const auto page = Page(*after, through);
      ledger_->Refill(page, *after, through);
    }
    while (ledger_->WantsMore(/*demand=*/true) && ledger_->scanned() < head_) {
      const auto page = Page(ledger_->scanned(), through);
      ledger_->TakeIn(page, through, now_);
    }
  }

  void Join() {
    if (consumers_.size() >= 4) return;
    const uint64_t id = ++last_consumer_;
    const size_t most = 1 + Chance(5);
    consumers_[id] = most;
    ledger_->Join(id, most);
  }

  void LeaveOne() {
    if (consumers_.empty()) return;
    const auto consumer = std::next(consumers_.begin(), static_cast<std::ptrdiff_t>(Chance(consumers_.size())));
    const bool counted = Chance(3) > 0;
    ledger_->Leave(consumer->first, now_, counted);
    for (auto it = outstanding_.begin(); it != outstanding_.end();) {
      if (it->second.handout.consumer == consumer->first) {
        if (!counted) --attempts_[it->first];
        stale_.push_back(it->second);
        it = outstanding_.erase(it);
      } else {
        ++it;
      }
    }
    consumers_.erase(consumer);
  }

  void Take() {
    Reconcile();
    std::vector<SharedLedger::Room> rooms;
    for (const auto& [id, most] : consumers_) {
      if (Chance(3) > 0) rooms.push_back({id, 1 + Chance(4)});
    }
    for (const Handout& handout : ledger_->Spread(rooms, now_)) Check(handout);
  }

  // The heart: may this event be handed out now?
  void Check(const Handout& handout) {
    const uint64_t conversation = log_.at(handout.sequence);
    ASSERT_NE(conversation, 0u) << "the filter leaves it out";
    ASSERT_FALSE(settled_.contains(handout.sequence)) << handout.sequence << " needs no redelivery";
    for (const auto& [sequence, other] : outstanding_) {
      ASSERT_NE(log_.at(sequence), conversation) << "two outstanding of one conversation";
    }
    for (const auto& [sequence, of] : log_) {
      if (sequence >= handout.sequence) break;
      if (of == conversation) {
        ASSERT_TRUE(settled_.contains(sequence)) << sequence << " comes before " << handout.sequence;
      }
    }
    ++handed_out_[handout.sequence];
    const uint32_t attempt = ++attempts_[handout.sequence];
    ASSERT_LE(handout.attempt, attempt);
    if (lives_ == 1) {
      ASSERT_EQ(handout.attempt, attempt);
    }
    ASSERT_LE(handout.attempt, rules_.max_attempts);
    outstanding_[handout.sequence] = {handout, lives_};
    deadlines_[handout.delivery] = now_ + rules_.ack_deadline;
    size_t of_consumer = 0;
    for (const auto& [sequence, other] : outstanding_) of_consumer += other.handout.consumer == handout.consumer;
    ASSERT_LE(of_consumer, consumers_.at(handout.consumer)) << "more outstanding than the consumer asked for";
  }

  // Deliveries that the ledger took back at a deadline.
  void Reconcile() {
    ledger_->Tick(now_);
    for (auto it = outstanding_.begin(); it != outstanding_.end();) {
      if (deadlines_.at(it->second.handout.delivery) <= now_) {
        stale_.push_back(it->second);
        it = outstanding_.erase(it);
      } else {
        ++it;
      }
    }
    for (const SharedLedger::ParkOrder& order : ledger_->TakeParks()) {
      parking_.push_back(order);
      settled_.insert(order.sequence);  // its conversation may go on
    }
    ASSERT_EQ(outstanding_.size(), ledger_->outstanding());
  }

  void SettleOne(Action action) {
    if (outstanding_.empty()) return;
    Reconcile();
    if (outstanding_.empty()) return;
    const auto it = std::next(outstanding_.begin(), static_cast<std::ptrdiff_t>(Chance(outstanding_.size())));
    const Delivery delivery = it->second;
    const uint64_t sequence = it->first;
    const absl::Duration delay = absl::Seconds(static_cast<int>(Chance(5)));
    ASSERT_TRUE(ledger_->Settle(sequence, delivery.handout.delivery, action, delay, now_));
    if (action == Action::kExtend) {
      deadlines_[delivery.handout.delivery] = now_ + delay;
      return;
    }
    outstanding_.erase(it);
    stale_.push_back(delivery);
    if (action == Action::kAck || action == Action::kSkip) {
      settled_.insert(sequence);
      handled_.insert(sequence);
    }
    Reconcile();
  }

  void SettleStale() {
    if (stale_.empty()) return;
    const Delivery& delivery = stale_[Chance(stale_.size())];
    if (delivery.life != lives_) return;  // the epoch in its token tells, before the ledger is asked
    ASSERT_FALSE(
        ledger_->Settle(delivery.handout.sequence, delivery.handout.delivery, Action::kAck, std::nullopt, now_));
  }

  // Writes what has to be written, parked events first. A crash leaves any part of it unwritten.
  void Flush(bool crash) {
    Reconcile();
    for (const SharedLedger::ParkOrder& order : std::exchange(parking_, {})) {
      if (crash && Chance(3) == 0) return Restart();
      store_.parked.insert(order.sequence);
      ledger_->Parked(order.sequence);
    }
    const uint64_t floor = ledger_->blocks().floor();
    std::vector<AckBlocks::Row> rows = ledger_->blocks().TakeDirty();
    const bool floor_first = Chance(2) == 0;
    if (floor_first && !(crash && Chance(2) == 0)) store_.floor = floor;
    std::shuffle(rows.begin(), rows.end(), chance_);
    for (const AckBlocks::Row& row : rows) {
      if (crash && Chance(2) == 0) continue;
      const auto stored = store_.blocks.find(row.number);
      ASSERT_EQ(row.expected_revision, stored == store_.blocks.end() ? 0 : stored->second.second);
      if (!row.value.has_value() && store_.floor < floor) store_.floor = floor;  // one batch on every real store
      if (row.value.has_value()) {
        store_.blocks[row.number] = {*row.value, ++store_.revision};
        ledger_->blocks().Written(row, store_.revision);
      } else {
        store_.blocks.erase(row.number);
        ledger_->blocks().Written(row, 0);
      }
    }
    if (crash) return Restart();
    store_.floor = floor;
    durable_ = settled_;
  }

  void WriteAll() {
    for (const AckBlocks::Row& row : ledger_->blocks().TakeDirty()) {
      ASSERT_EQ(row.expected_revision, 0u);
      store_.blocks[row.number] = {*row.value, ++store_.revision};
      ledger_->blocks().Written(row, store_.revision);
    }
  }

  // A new life: nothing but the store is left.
  void Restart() {
    ++lives_;
    SharedLedger::Part part(store_.floor);
    for (const auto& [number, block] : store_.blocks) {
      ASSERT_TRUE(part.blocks.Restore(number, block.first).ok());
    }
    for (const uint64_t parked : store_.parked) part.blocks.Settle(parked);
    // What is kept from now on stands elsewhere.
    ledger_ = std::make_unique<SharedLedger>(rules_, limits_);
    ledger_->Reserve(kAllPartitions, part);
    store_.blocks.clear();
    WriteAll();
    ledger_->Hold(kAllPartitions);
    for (const auto& [sequence, delivery] : outstanding_) stale_.push_back(delivery);
    outstanding_.clear();
    attempts_ = handed_out_;  // that a drain did not count may be forgotten
    parking_.clear();
    consumers_.clear();
    deadlines_.clear();
    for (const uint64_t sequence : durable_) {
      ASSERT_TRUE(ledger_->blocks().IsSettled(sequence)) << sequence << " was settled durably";
    }
    // Part of the last batch may have been written.
    std::set<uint64_t> kept;
    for (const uint64_t sequence : settled_) {
      if (ledger_->blocks().IsSettled(sequence)) kept.insert(sequence);
    }
    settled_ = std::move(kept);
    for (const auto& [sequence, conversation] : log_) {
      if (conversation != 0 && ledger_->blocks().IsSettled(sequence)) {
        ASSERT_TRUE(settled_.contains(sequence)) << sequence << " is called settled and never was";
      }
    }
  }

  std::mt19937_64 chance_;
  uint64_t conversations_;
  SharedLedger::Rules rules_;
  SharedLedger::Limits limits_;
  absl::Time now_ = absl::FromUnixSeconds(1'780'000'000);

  std::map<uint64_t, uint64_t> log_;  // sequence, conversation
  uint64_t head_ = 0;
  Store store_;
  std::unique_ptr<SharedLedger> ledger_;
  uint64_t lives_ = 0;
  std::map<uint64_t, size_t> consumers_;  // id, most outstanding
  uint64_t last_consumer_ = 0;

  std::map<uint64_t, Delivery> outstanding_;  // by sequence
  std::map<uint64_t, absl::Time> deadlines_;  // by delivery
  std::vector<Delivery> stale_;
  std::map<uint64_t, uint32_t> handed_out_;
  std::map<uint64_t, uint32_t> attempts_;  // those that a drain handed back left out
  std::vector<SharedLedger::ParkOrder> parking_;
  std::set<uint64_t> settled_;  // or on the way to being parked, as of now
  std::set<uint64_t> durable_;  // as of the last flush that was reported
  std::set<uint64_t> handled_;
};

TEST(SubscriptionModelTest, EveryLifeKeepsThePromises) {
  for (uint64_t seed = 1; seed <= Seeds() && !HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Play(seed).Run();
  }
}

}  // namespace
}  // namespace aulm::gateway
