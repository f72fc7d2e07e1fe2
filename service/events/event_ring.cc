#include "service/events/event_ring.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace aulm::gateway {
namespace {

// What a page grows to by merging: a few frames.
constexpr size_t kMergedBytes = 128 << 10;
constexpr size_t kMergedEvents = 1024;

}  // namespace

std::vector<std::shared_ptr<const EncodedPage>> EventRing::ToMergeWith(const EncodedPage& next) const {
  size_t bytes = next.bytes().size(), events = next.events().size();
  const size_t most_bytes = std::min(kMergedBytes, max_bytes_ / 8);  // pages also leave the ring as a whole
  auto first = pages_.end();
  while (first != pages_.begin()) {
    const EncodedPage& before = **std::prev(first);
    if (before.bytes().size() > 2 * bytes) break;
    bytes += before.bytes().size();
    events += before.events().size();
    if (bytes > most_bytes || events > kMergedEvents) break;
    --first;
  }
  return {first, pages_.end()};
}

void EventRing::DropNewest() {
  bytes_ -= pages_.back()->memory_bytes();
  events_ -= pages_.back()->events().size();
  pages_.pop_back();
}

void EventRing::Append(std::shared_ptr<const EncodedPage> page, size_t replaced) {
  for (; replaced > 0; --replaced) DropNewest();
  head_ = page->through();
  bytes_ += page->memory_bytes();
  events_ += page->events().size();
  pages_.push_back(std::move(page));
  while (pages_.size() > 1 && bytes_ > max_bytes_) {
    const EncodedPage& oldest = *pages_.front();
    start_ = oldest.through().sequence;
    bytes_ -= oldest.memory_bytes();
    events_ -= oldest.events().size();
    pages_.pop_front();
  }
}

void EventRing::Restart(const Position& head) {
  pages_.clear();
  bytes_ = 0;
  events_ = 0;
  start_ = head.sequence;
  head_ = head;
}

void EventRing::Skip(uint64_t sequence) {
  if (sequence > head_.sequence) head_ = {sequence, 0};
}

EventRing::Deque::const_iterator EventRing::FirstThrough(uint64_t sequence) const {
  return std::lower_bound(pages_.begin(), pages_.end(), sequence,
                          [](const auto& page, uint64_t wanted) { return page->through().sequence < wanted; });
}

std::shared_ptr<const EncodedPage> EventRing::PageAfter(uint64_t after) const {
  const auto page = FirstThrough(after + 1);
  return page == pages_.end() ? nullptr : *page;
}

const EncodedEvent* EventRing::Find(uint64_t sequence) const {
  const auto page = FirstThrough(sequence);
  if (sequence == 0 || page == pages_.end()) return nullptr;
  const size_t index = (*page)->FirstAfter(sequence - 1);
  if (index == (*page)->events().size() || (*page)->events()[index].sequence != sequence) return nullptr;
  return &(*page)->events()[index];
}

}  // namespace aulm::gateway
