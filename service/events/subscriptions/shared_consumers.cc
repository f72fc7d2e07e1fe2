#include "service/events/subscriptions/shared_consumers.h"

#include <algorithm>
#include <utility>

namespace aulm::gateway {
namespace {

// Raw bodies are up to 1 MiB each.
constexpr size_t kRawBatchEvents = 16;
constexpr size_t kDefaultOutstanding = 100;

}  // namespace

size_t SharedConsumer::max_outstanding() const { return spec.max_outstanding_events.value_or(kDefaultOutstanding); }

size_t SharedConsumer::max_events() const {
  return spec.include_raw_body ? std::min(kRawBatchEvents, spec.max_batch_events) : spec.max_batch_events;
}

void SharedConsumer::Count(absl::Time now, size_t events, size_t bytes) {
  last_frame = now;
  ++totals.frames;
  totals.events += events;
  totals.bytes += bytes;
}

void Grow(std::optional<v1::Gap>& untold, const v1::Gap& gap) {
  const std::string from = untold.has_value() ? untold->from_cursor() : gap.from_cursor();
  untold = gap;
  untold->set_from_cursor(from);
}

uint64_t SharedConsumers::Add(SharedConsumer consumer) {
  consumers_.emplace(++last_id_, std::move(consumer));
  return last_id_;
}

SharedConsumer* SharedConsumers::Find(uint64_t id) {
  const auto found = consumers_.find(id);
  return found == consumers_.end() ? nullptr : &found->second;
}

const SharedConsumer* SharedConsumers::Find(uint64_t id) const {
  const auto found = consumers_.find(id);
  return found == consumers_.end() ? nullptr : &found->second;
}

size_t SharedConsumers::staying() const {
  return static_cast<size_t>(
      std::count_if(consumers_.begin(), consumers_.end(), [](const auto& entry) { return entry.second.stays(); }));
}

bool SharedConsumers::WantEvents(const SharedLedger& ledger) const {
  return std::any_of(consumers_.begin(), consumers_.end(), [&](const auto& entry) {
    return entry.second.takes_events() && ledger.outstanding_of(entry.first) < entry.second.max_outstanding();
  });
}

std::vector<SharedLedger::Room> SharedConsumers::Rooms() const {
  std::vector<SharedLedger::Room> rooms;
  for (const auto& [id, consumer] : consumers_) {
    if (consumer.takes_events()) rooms.push_back({id, consumer.max_events()});
  }
  return rooms;
}

absl::Time SharedConsumers::NextDue() const {
  absl::Time due = absl::InfiniteFuture();
  for (const auto& [id, consumer] : consumers_) {
    if (!consumer.waits()) continue;
    due = std::min({due, consumer.last_frame + consumer.spec.heartbeat_interval, consumer.drain_at});
  }
  return due;
}

void SharedConsumers::AddGap(const v1::Gap& gap) {
  for (auto& [id, consumer] : consumers_) Grow(consumer.gap, gap);
}

}  // namespace aulm::gateway
