#include "service/events/subscriptions/shared_ledger.h"

#include <algorithm>
#include <iterator>

namespace aulm::gateway {
namespace {

int64_t DueMs(absl::Time due) { return due == absl::InfinitePast() ? 0 : absl::ToUnixMillis(due); }

}  // namespace

void SharedLedger::Reserve(PartitionSet partitions, const Part& part) {
  // The common floor falls to that of those who come: from now on it says less of the others than is known.
  ForEachPartition(kept(), [&](int partition) {
    uint64_t& floor = floors_[static_cast<size_t>(partition)];
    floor = std::max(floor, blocks_.floor());
  });
  blocks_.Merge(part.blocks);
  ForEachPartition(partitions, [&](int partition) {
    floors_[static_cast<size_t>(partition)] = part.floors[static_cast<size_t>(partition)];
  });
  reserved_ |= partitions;
  RaiseFloor();
}

void SharedLedger::Hold(PartitionSet partitions) {
  reserved_ &= ~partitions;
  held_ |= partitions;
  ForEachPartition(partitions, [&](int partition) {
    scanned_[static_cast<size_t>(partition)] = floors_[static_cast<size_t>(partition)];
  });
  NoteScanned();
  RaiseFloor();
}

void SharedLedger::Abandon(PartitionSet partitions) {
  reserved_ &= ~partitions;
  RaiseFloor();
}

void SharedLedger::Withhold(PartitionSet partitions) { withheld_ |= partitions & held_; }

void SharedLedger::Resume(PartitionSet partitions) {
  withheld_ &= ~partitions;
  std::vector<uint64_t> resumed;
  for (const auto& [hash, conversation] : conversations_) {
    if (Contains(partitions, PartitionOf(hash))) resumed.push_back(hash);
  }
  for (const uint64_t hash : resumed) Settled(hash);
}

PartitionSet SharedLedger::Quiet() const {
  PartitionSet quiet = kNoPartitions;
  ForEachPartition(withheld_, [&](int partition) {
    if (under_way_[static_cast<size_t>(partition)] == 0) quiet |= PartitionBit(partition);
  });
  return quiet;
}

SharedLedger::Part SharedLedger::PartOf(PartitionSet partitions) const {
  Part part(UINT64_MAX);
  ForEachPartition(partitions, [&](int partition) {
    part.floors[static_cast<size_t>(partition)] = scanned_[static_cast<size_t>(partition)];
  });
  const auto lower = [&](uint64_t conversation, uint64_t floor) {
    const int partition = PartitionOf(conversation);
    if (!Contains(partitions, partition)) return;
    uint64_t& known = part.floors[static_cast<size_t>(partition)];
    known = std::min(known, floor);
  };
  for (const uint64_t sequence : unsettled_) lower(entries_.at(sequence).conversation, sequence - 1);
  for (const auto& [from, hash] : spilled_) lower(hash, from - 1);
  part.blocks = blocks_;
  part.blocks.RaiseFloor(*std::min_element(part.floors.begin(), part.floors.end()));
  part.blocks.FilterAttempts([&](uint64_t sequence) {
    const auto known = entries_.find(sequence);
    return known == entries_.end() || Contains(partitions, PartitionOf(known->second.conversation));
  });
  return part;
}

void SharedLedger::Forget(PartitionSet partitions) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto& [sequence, entry] = *it;
    if (!Contains(partitions, PartitionOf(entry.conversation)) || entry.state == State::kOutstanding ||
        entry.state == State::kParking) {
      ++it;
      continue;
    }
    if (entry.state == State::kWaiting) due_.erase({entry.due, sequence});
    unsettled_.erase(sequence);
    entries_.erase(it++);
  }
  std::vector<uint64_t> gone;
  for (auto& [hash, conversation] : conversations_) {
    if (!Contains(partitions, PartitionOf(hash))) continue;
    SetSpilled(hash, conversation, 0);
    gone.push_back(hash);
  }
  for (const uint64_t hash : gone) conversations_.erase(hash);
  held_ &= ~partitions;
  withheld_ &= ~partitions;
  NoteScanned();
  RaiseFloor();
}

uint64_t SharedLedger::Lag(uint64_t head) const {
  uint64_t lag = unsettled_.size() + spilled_events_;
  uint64_t unseen = 0;
  ForEachPartition(held_, [&](int partition) {
    const uint64_t scanned = scanned_[static_cast<size_t>(partition)];
    if (scanned < head) unseen += head - scanned;
  });
  unseen /= kPartitions;
  if (unseen > 0) lag += unseen - std::min(unseen, blocks_.SettledAfter(scanned_through_));
  return lag;
}

bool SharedLedger::IsSettled(const FoundEvent& event) const {
  return event.sequence <= floors_[static_cast<size_t>(PartitionOf(event.conversation))] ||
         blocks_.IsSettled(event.sequence);
}

void SharedLedger::NoteScanned() {
  scanned_through_ = UINT64_MAX;
  ForEachPartition(held_, [&](int partition) {
    scanned_through_ = std::min(scanned_through_, scanned_[static_cast<size_t>(partition)]);
  });
}

bool SharedLedger::WantsMore(bool demand) {
  if (held_ == kNoPartitions || ready_.size() >= limits_.ready) return false;
  if (entries_.size() < limits_.window) return true;
  if (!demand || !ready_.empty()) return false;
  Spill();
  return entries_.size() < limits_.window;
}

void SharedLedger::TakeIn(absl::Span<const FoundEvent> found, uint64_t through, absl::Time now) {
  for (const FoundEvent& event : found) {
    const int partition = PartitionOf(event.conversation);
    if (!Contains(held_, partition) || event.sequence <= scanned_[static_cast<size_t>(partition)]) continue;
    if (IsSettled(event)) continue;
    const auto known = conversations_.find(event.conversation);
    if (known != conversations_.end() && known->second.spilled_from != 0) {  // its turn comes by Refill
      ++known->second.spilled;
      ++spilled_events_;
      continue;
    }
    Track(event, now);
  }
  ForEachPartition(held_, [&](int partition) {
    uint64_t& scanned = scanned_[static_cast<size_t>(partition)];
    scanned = std::max(scanned, through);
  });
  NoteScanned();
  RaiseFloor();
}

std::optional<uint64_t> SharedLedger::RefillAfter() const {
  for (const auto& [from, hash] : spilled_) {
    if (conversations_.at(hash).queue.size() <= limits_.conversation_window / 4) return from - 1;
  }
  return std::nullopt;
}

void SharedLedger::Refill(absl::Span<const FoundEvent> found, uint64_t after, uint64_t through) {
  absl::flat_hash_set<uint64_t> full;
  for (const FoundEvent& event : found) {
    const auto known = conversations_.find(event.conversation);
    if (known == conversations_.end() || known->second.spilled_from <= after || full.contains(event.conversation)) {
      continue;
    }
    Conversation& conversation = known->second;
    const uint64_t scanned = scanned_[static_cast<size_t>(PartitionOf(event.conversation))];
    if (event.sequence < conversation.spilled_from || event.sequence > scanned) continue;
    if (IsSettled(event) || entries_.contains(event.sequence)) continue;
    if (conversation.queue.size() >= limits_.conversation_window) {
      SetSpilled(event.conversation, conversation, event.sequence);
      full.insert(event.conversation);
    } else {
      if (conversation.spilled > 0) {
        --conversation.spilled;
        --spilled_events_;
      }
      Track(event, absl::InfinitePast());
    }
  }
  // Those that had room have now been looked after up to `through`.
  std::vector<uint64_t> looked_after;
  for (auto it = spilled_.upper_bound({after, UINT64_MAX}); it != spilled_.end() && it->first <= through; ++it) {
    if (!full.contains(it->second)) looked_after.push_back(it->second);
  }
  for (const uint64_t hash : looked_after) {
    const uint64_t scanned = scanned_[static_cast<size_t>(PartitionOf(hash))];
    SetSpilled(hash, conversations_.at(hash), through >= scanned ? 0 : through + 1);
    Settled(hash);
  }
  RaiseFloor();
}

void SharedLedger::ForgetThrough(uint64_t sequence) {
  std::vector<uint64_t> gone;
  for (const uint64_t kept : unsettled_) {
    if (kept > sequence) break;
    const State state = entries_.at(kept).state;
    if (state == State::kQueued || state == State::kWaiting) gone.push_back(kept);
  }
  for (const uint64_t lost : gone) Finish(lost);
  std::vector<uint64_t> spilled;
  for (const auto& [from, hash] : spilled_) {
    if (from <= sequence) spilled.push_back(hash);
  }
  ForEachPartition(held_, [&](int partition) {
    uint64_t& scanned = scanned_[static_cast<size_t>(partition)];
    scanned = std::max(scanned, sequence);
  });
  NoteScanned();
  for (const uint64_t hash : spilled) {
    const uint64_t scanned = scanned_[static_cast<size_t>(PartitionOf(hash))];
    SetSpilled(hash, conversations_.at(hash), sequence >= scanned ? 0 : sequence + 1);
    Settled(hash);
  }
  RaiseFloor();
}

bool SharedLedger::Replay(const FoundEvent& event) {
  if (!IsSettled(event) || entries_.contains(event.sequence)) return false;
  Entry& entry = entries_[event.sequence];
  entry.conversation = event.conversation;
  entry.replay = true;
  conversations_[event.conversation].queue.insert(event.sequence);
  Settled(event.conversation);
  return true;
}

void SharedLedger::Join(uint64_t consumer, size_t max_outstanding) {
  consumers_[consumer].max_outstanding = max_outstanding;
}

void SharedLedger::Leave(uint64_t consumer, absl::Time now, bool counted) {
  const auto found = consumers_.find(consumer);
  if (found == consumers_.end()) return;
  std::vector<uint64_t> outstanding(found->second.outstanding.begin(), found->second.outstanding.end());
  std::sort(outstanding.begin(), outstanding.end());
  for (const uint64_t sequence : outstanding) HandBack(sequence, absl::InfinitePast(), now, counted);
  consumers_.erase(found);
}

std::vector<Handout> SharedLedger::Spread(absl::Span<const Room> rooms, absl::Time now) {
  // By what they have, then by who was served longest ago: rooms are few, so a set does.
  struct Taker {
    size_t outstanding;
    uint64_t last_served;
    uint64_t consumer;
    size_t events;
    bool operator<(const Taker& other) const {
      return std::tie(outstanding, last_served, consumer) <
             std::tie(other.outstanding, other.last_served, other.consumer);
    }
  };
  std::set<Taker> takers;
  const auto add = [&](uint64_t id, size_t events) {
    const Consumer& consumer = consumers_.at(id);
    if (events == 0 || consumer.outstanding.size() >= consumer.max_outstanding) return;
    takers.insert({consumer.outstanding.size(), consumer.last_served, id, events});
  };
  for (const Room& room : rooms) {
    if (consumers_.contains(room.consumer)) add(room.consumer, room.events);
  }
  std::vector<Handout> handouts;
  while (!takers.empty() && !ready_.empty()) {
    const uint64_t hash = ready_.front();
    ready_.pop_front();
    const auto found = conversations_.find(hash);
    if (found == conversations_.end()) continue;
    found->second.in_ready = false;
    if (Contains(withheld_, PartitionOf(hash))) continue;
    if (found->second.busy != 0 || found->second.queue.empty()) {
      Settled(hash);
      continue;
    }
    const Taker taker = *takers.begin();
    takers.erase(takers.begin());
    handouts.push_back(HandOut(hash, taker.consumer, now));
    add(taker.consumer, taker.events - 1);
  }
  return handouts;
}

bool SharedLedger::Settle(uint64_t sequence, uint64_t delivery, Action action, std::optional<absl::Duration> delay,
                          absl::Time now) {
  Entry* const entry = Outstanding(sequence, delivery);
  if (entry == nullptr) return false;
  switch (action) {
    case Action::kAck:
    case Action::kSkip:
      Finish(sequence);
      break;
    case Action::kRetry:
      HandBack(sequence, now + delay.value_or(rules_.retry_delay), now, /*counted=*/true);
      break;
    case Action::kPark:
      Park(sequence, v1::PARK_REASON_CONSUMER);
      break;
    case Action::kExtend:
      due_.erase({entry->due, sequence});
      entry->due = now + delay.value_or(rules_.ack_deadline);
      due_.insert({entry->due, sequence});
      break;
  }
  return true;
}

void SharedLedger::Return(uint64_t sequence, uint64_t delivery, absl::Time due, absl::Time now) {
  if (Outstanding(sequence, delivery) != nullptr) HandBack(sequence, due, now, /*counted=*/false);
}

void SharedLedger::Lose(uint64_t sequence, uint64_t delivery) {
  if (Outstanding(sequence, delivery) != nullptr) Finish(sequence);
}

void SharedLedger::Tick(absl::Time now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    const uint64_t sequence = due_.begin()->second;
    Entry& entry = entries_.at(sequence);
    if (entry.state == State::kOutstanding) {
      ++counts_.missed_deadlines;
      HandBack(sequence, now + rules_.retry_delay, now, /*counted=*/true);
      continue;
    }
    due_.erase(due_.begin());
    entry.state = State::kQueued;
    conversations_.at(entry.conversation).busy = 0;
    Settled(entry.conversation);
  }
}

absl::Time SharedLedger::NextDue() const { return due_.empty() ? absl::InfiniteFuture() : due_.begin()->first; }

void SharedLedger::Parked(uint64_t sequence) {
  const auto found = entries_.find(sequence);
  if (found == entries_.end() || found->second.state != State::kParking) return;
  --UnderWay(found->second);
  if (!found->second.replay) {
    unsettled_.erase(sequence);
    blocks_.Settle(sequence);
  }
  entries_.erase(found);
  RaiseFloor();
}

size_t SharedLedger::outstanding_of(uint64_t consumer) const {
  const auto found = consumers_.find(consumer);
  return found == consumers_.end() ? 0 : found->second.outstanding.size();
}

absl::Time SharedLedger::OldestOutstanding() const {
  absl::Time oldest = absl::InfiniteFuture();
  for (const auto& [id, consumer] : consumers_) {
    for (const uint64_t sequence : consumer.outstanding) oldest = std::min(oldest, entries_.at(sequence).handed_out);
  }
  return oldest;
}

void SharedLedger::Track(const FoundEvent& event, absl::Time now) {
  Entry& entry = entries_[event.sequence];
  entry.conversation = event.conversation;
  const AckBlocks::Attempts attempts = blocks_.AttemptsOf(event.sequence);
  entry.attempts = attempts.count;
  unsettled_.insert(event.sequence);
  if (entry.attempts >= rules_.max_attempts) {  // the gateway stopped during its last attempt
    Park(event.sequence, v1::PARK_REASON_ATTEMPTS);
    return;
  }
  Conversation& conversation = conversations_[event.conversation];
  conversation.queue.insert(event.sequence);
  if (const absl::Time due = absl::FromUnixMillis(attempts.due_ms);
      attempts.due_ms != 0 && due > now && conversation.busy == 0 && conversation.queue.size() == 1) {
    entry.state = State::kWaiting;
    entry.due = due;
    conversation.busy = event.sequence;
    due_.insert({due, event.sequence});
    return;
  }
  Settled(event.conversation);
}

void SharedLedger::Drop(uint64_t sequence) {
  unsettled_.erase(sequence);
  entries_.erase(sequence);
}

void SharedLedger::Spill() {
  for (auto& [hash, conversation] : conversations_) {
    if (conversation.queue.size() <= limits_.conversation_window) continue;
    auto first = std::next(conversation.queue.begin(), static_cast<std::ptrdiff_t>(limits_.conversation_window));
    // What is under way stays, and so do replays: they are no part of the log's order.
    while (first != conversation.queue.end() &&
           (entries_.at(*first).replay || entries_.at(*first).state != State::kQueued)) {
      ++first;
    }
    if (first == conversation.queue.end()) continue;
    SetSpilled(hash, conversation, *first);
    for (auto it = first; it != conversation.queue.end();) {
      if (entries_.at(*it).replay) {
        ++it;
      } else {
        ++conversation.spilled;
        ++spilled_events_;
        Drop(*it);
        it = conversation.queue.erase(it);
      }
    }
  }
}

void SharedLedger::SetSpilled(uint64_t hash, Conversation& conversation, uint64_t from) {
  if (conversation.spilled_from != 0) spilled_.erase({conversation.spilled_from, hash});
  conversation.spilled_from = from;
  if (from != 0) {
    spilled_.insert({from, hash});
  } else {
    spilled_events_ -= std::exchange(conversation.spilled, 0);
  }
}

void SharedLedger::Settled(uint64_t hash) {
  const auto found = conversations_.find(hash);
  if (found == conversations_.end()) return;
  Conversation& conversation = found->second;
  if (conversation.busy != 0 || conversation.in_ready) return;
  if (!conversation.queue.empty()) {
    if (Contains(withheld_, PartitionOf(hash))) return;
    conversation.in_ready = true;
    ready_.push_back(hash);
  } else if (conversation.spilled_from == 0) {
    conversations_.erase(found);
  }
}

void SharedLedger::Release(uint64_t sequence, Entry& entry) {
  if (entry.state == State::kOutstanding) {
    due_.erase({entry.due, sequence});
    if (const auto consumer = consumers_.find(entry.consumer); consumer != consumers_.end()) {
      consumer->second.outstanding.erase(sequence);
    }
    --outstanding_;
    --UnderWay(entry);
  } else if (entry.state == State::kWaiting) {
    due_.erase({entry.due, sequence});
  }
  Conversation& conversation = conversations_.at(entry.conversation);
  if (conversation.busy == sequence) conversation.busy = 0;
}

void SharedLedger::Finish(uint64_t sequence) {
  Entry& entry = entries_.at(sequence);
  const uint64_t hash = entry.conversation;
  Release(sequence, entry);
  if (entry.replay) {
    finished_replays_.push_back(sequence);
  } else {
    blocks_.Settle(sequence);
  }
  conversations_.at(hash).queue.erase(sequence);
  Drop(sequence);
  Settled(hash);
  RaiseFloor();
}

void SharedLedger::HandBack(uint64_t sequence, absl::Time due, absl::Time now, bool counted) {
  Entry& entry = entries_.at(sequence);
  if (counted && entry.attempts >= rules_.max_attempts) {
    Park(sequence, v1::PARK_REASON_ATTEMPTS);
    return;
  }
  Release(sequence, entry);
  if (!counted) --entry.attempts;
  const bool waits = due > now;
  if (!entry.replay) blocks_.SetAttempts(sequence, {entry.attempts, waits ? DueMs(due) : 0});
  entry.state = waits ? State::kWaiting : State::kQueued;
  if (waits) {
    entry.due = due;
    due_.insert({due, sequence});
    conversations_.at(entry.conversation).busy = sequence;
  }
  Settled(entry.conversation);
}

void SharedLedger::Park(uint64_t sequence, v1::ParkReason reason) {
  Entry& entry = entries_.at(sequence);
  if (const auto conversation = conversations_.find(entry.conversation); conversation != conversations_.end()) {
    Release(sequence, entry);
    conversation->second.queue.erase(sequence);
  }
  entry.state = State::kParking;
  ++UnderWay(entry);
  parks_.push_back({sequence, entry.conversation, entry.attempts, reason});
  Settled(entry.conversation);
}

Handout SharedLedger::HandOut(uint64_t hash, uint64_t consumer_id, absl::Time now) {
  Conversation& conversation = conversations_.at(hash);
  const uint64_t sequence = *conversation.queue.begin();
  Entry& entry = entries_.at(sequence);
  Consumer& consumer = consumers_.at(consumer_id);
  conversation.busy = sequence;
  entry.state = State::kOutstanding;
  ++entry.attempts;
  if (entry.attempts > 1) ++counts_.redeliveries;
  entry.consumer = consumer_id;
  entry.delivery = ++last_delivery_;
  entry.handed_out = now;
  entry.due = now + rules_.ack_deadline;
  due_.insert({entry.due, sequence});
  consumer.outstanding.insert(sequence);
  consumer.last_served = ++served_;
  ++outstanding_;
  ++UnderWay(entry);
  if (!entry.replay) blocks_.SetAttempts(sequence, {entry.attempts, 0});
  return {consumer_id, sequence, entry.delivery, entry.attempts};
}

SharedLedger::Entry* SharedLedger::Outstanding(uint64_t sequence, uint64_t delivery) {
  const auto found = entries_.find(sequence);
  if (found == entries_.end() || found->second.state != State::kOutstanding || found->second.delivery != delivery) {
    return nullptr;
  }
  return &found->second;
}

void SharedLedger::RaiseFloor() {
  uint64_t floor = scanned_through_;
  ForEachPartition(reserved_, [&](int partition) { floor = std::min(floor, floors_[static_cast<size_t>(partition)]); });
  if (!unsettled_.empty()) floor = std::min(floor, *unsettled_.begin() - 1);
  if (!spilled_.empty()) floor = std::min(floor, spilled_.begin()->first - 1);
  blocks_.RaiseFloor(floor);
}

}  // namespace aulm::gateway
