#include "service/events/subscriptions/kept_pages.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMaxBytes = 4 << 20;
constexpr size_t kMaxPages = 256;

}  // namespace

void KeptPages::Keep(std::shared_ptr<const EncodedPage> page) {
  const uint64_t key = page->through().sequence;
  std::shared_ptr<const EncodedPage>& kept = pages_[key];
  if (kept != nullptr) bytes_ -= kept->bytes().size();
  if (kept == nullptr) order_.push_back(key);
  bytes_ += page->bytes().size();
  kept = std::move(page);
  while (order_.size() > 1 && (bytes_ > kMaxBytes || order_.size() > kMaxPages)) {
    const auto oldest = pages_.find(order_.front());
    order_.pop_front();
    bytes_ -= oldest->second->bytes().size();
    pages_.erase(oldest);
  }
}

std::pair<std::shared_ptr<const EncodedPage>, size_t> KeptPages::Find(uint64_t sequence) const {
  const auto covering = pages_.lower_bound(sequence);
  if (covering == pages_.end()) return {nullptr, 0};
  const std::shared_ptr<const EncodedPage>& page = covering->second;
  const size_t index = page->FirstAfter(sequence - 1);
  if (index >= page->events().size() || page->events()[index].sequence != sequence) return {nullptr, 0};
  return {page, index};
}

}  // namespace aulm::gateway
