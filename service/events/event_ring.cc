#include "service/events/event_ring.h"

#include <algorithm>
#include <utility>

namespace aulm::gateway {
namespace {

constexpr size_t kMaxPages = 32;  // a live event may be a page of its own

}  // namespace

void EventRing::Append(std::shared_ptr<const EncodedPage> page) {
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

EventRing::Pages EventRing::PagesAfter(uint64_t after) const {
  Pages pages;
  for (auto page = FirstThrough(after + 1); page != pages_.end() && pages.size() < kMaxPages; ++page) {
    pages.push_back(*page);
  }
  return pages;
}

const EncodedEvent* EventRing::Find(uint64_t sequence) const {
  const auto page = FirstThrough(sequence);
  if (sequence == 0 || page == pages_.end()) return nullptr;
  const size_t index = (*page)->FirstAfter(sequence - 1);
  if (index == (*page)->events().size() || (*page)->events()[index].sequence != sequence) return nullptr;
  return &(*page)->events()[index];
}

}  // namespace aulm::gateway
