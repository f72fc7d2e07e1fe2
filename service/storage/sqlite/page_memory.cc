#include "service/storage/sqlite/page_memory.h"

#include <algorithm>
#include <cstring>

namespace aulm::gateway {
namespace {

// Small first, since a live read wants an event or two; larger as the page proves to be long.
constexpr size_t kFirstChunk = 4 << 10;
constexpr size_t kLargestChunk = 256 << 10;

}  // namespace

absl::string_view PageMemory::Keep(absl::string_view bytes) {
  if (bytes.size() > left_) {
    const size_t usual = std::min(kFirstChunk << (2 * std::min<size_t>(chunks_.size(), 3)), kLargestChunk);
    left_ = std::max(usual, bytes.size());
    chunks_.push_back(std::make_unique_for_overwrite<char[]>(left_));
    next_ = chunks_.back().get();
  }
  if (!bytes.empty()) std::memcpy(next_, bytes.data(), bytes.size());
  const absl::string_view kept(next_, bytes.size());
  next_ += bytes.size();
  left_ -= bytes.size();
  return kept;
}

}  // namespace aulm::gateway
