#include "service/events/subscriptions/ack_blocks.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"

namespace aulm::gateway {
namespace {

constexpr size_t kBitmapBytes = AckBlocks::kSequences / 8;

uint64_t NumberOf(uint64_t sequence) { return sequence / AckBlocks::kSequences; }
uint16_t OffsetOf(uint64_t sequence) { return static_cast<uint16_t>(sequence % AckBlocks::kSequences); }
uint64_t Bit(uint16_t offset) { return uint64_t{1} << (offset % 64); }

}  // namespace

absl::Status AckBlocks::Restore(uint64_t number, absl::string_view value) {
  state::v1::AckBlock stored;
  if (!stored.ParseFromArray(value.data(), static_cast<int>(value.size())) || stored.settled().size() != kBitmapBytes ||
      stored.attempts_size() != stored.offsets_size() || stored.due_ms_size() != stored.offsets_size()) {
    return absl::InvalidArgumentError(absl::StrCat("block ", number, " of acknowledgements cannot be decoded"));
  }
  if ((number + 1) * kSequences - 1 <= floor_) return absl::OkStatus();
  Block& block = blocks_[number];
  for (size_t i = 0; i < kBitmapBytes; ++i) {
    block.settled[i / 8] |= uint64_t{static_cast<uint8_t>(stored.settled()[i])} << (i % 8 * 8);
  }
  for (int i = 0; i < stored.offsets_size(); ++i) {
    const auto offset = static_cast<uint16_t>(stored.offsets(i) % kSequences);
    if ((block.settled[offset / 64] & Bit(offset)) != 0) continue;
    block.attempts[offset] = {stored.attempts(i), stored.due_ms(i)};
  }
  settled_above_ += Count(number, block, floor_, UINT64_MAX);
  return absl::OkStatus();
}

void AckBlocks::RaiseFloor(uint64_t floor) {
  if (floor <= floor_) return;
  for (auto it = blocks_.begin(); it != blocks_.end() && it->first <= NumberOf(floor);) {
    auto& [number, block] = *it;
    settled_above_ -= Count(number, block, floor_, floor);
    if ((number + 1) * kSequences - 1 > floor) break;
    if (block.dirty) --dirty_blocks_;
    if (block.revision != 0) passed_.push_back({number, std::nullopt, block.revision});
    it = blocks_.erase(it);
  }
  floor_ = floor;
}

void AckBlocks::Merge(const AckBlocks& other) {
  floor_ = std::min(floor_, other.floor_);
  for (const auto& [number, theirs] : other.blocks_) {
    const bool is_new = !blocks_.contains(number);
    Block& block = blocks_[number];
    if (is_new) Readopt(number, block);
    for (size_t word = 0; word < block.settled.size(); ++word) block.settled[word] |= theirs.settled[word];
    for (const auto& [offset, attempts] : theirs.attempts) block.attempts[offset] = attempts;
    for (auto it = block.attempts.begin(); it != block.attempts.end();) {
      const bool settled = (block.settled[it->first / 64] & Bit(it->first)) != 0;
      it = settled ? block.attempts.erase(it) : std::next(it);
    }
    MarkDirty(block);
  }
  settled_above_ = SettledAfter(floor_);
}

uint64_t AckBlocks::SettledAfter(uint64_t sequence) const {
  uint64_t count = 0;
  for (const auto& [number, block] : blocks_) count += Count(number, block, std::max(sequence, floor_), UINT64_MAX);
  return count;
}

std::vector<uint64_t> AckBlocks::Numbers() const {
  std::vector<uint64_t> numbers;
  for (const auto& [number, block] : blocks_) numbers.push_back(number);
  return numbers;
}

bool AckBlocks::IsSettled(uint64_t sequence) const {
  if (sequence <= floor_) return true;
  const auto found = blocks_.find(NumberOf(sequence));
  if (found == blocks_.end()) return false;
  const uint16_t offset = OffsetOf(sequence);
  return (found->second.settled[offset / 64] & Bit(offset)) != 0;
}

void AckBlocks::Settle(uint64_t sequence) {
  if (IsSettled(sequence)) return;
  Block& block = At(sequence);
  const uint16_t offset = OffsetOf(sequence);
  block.settled[offset / 64] |= Bit(offset);
  block.attempts.erase(offset);
  ++settled_above_;
  MarkDirty(block);
}

AckBlocks::Attempts AckBlocks::AttemptsOf(uint64_t sequence) const {
  const auto block = blocks_.find(NumberOf(sequence));
  if (block == blocks_.end()) return {};
  const auto found = block->second.attempts.find(OffsetOf(sequence));
  return found == block->second.attempts.end() ? Attempts{} : found->second;
}

void AckBlocks::FilterAttempts(absl::FunctionRef<bool(uint64_t sequence)> keep) {
  for (auto& [number, block] : blocks_) {
    for (auto it = block.attempts.begin(); it != block.attempts.end();) {
      it = keep(number * kSequences + it->first) ? std::next(it) : block.attempts.erase(it);
    }
  }
}

void AckBlocks::SetAttempts(uint64_t sequence, const Attempts& attempts) {
  if (IsSettled(sequence)) return;
  Block& block = At(sequence);
  if (attempts.count == 0) {
    block.attempts.erase(OffsetOf(sequence));
  } else {
    block.attempts[OffsetOf(sequence)] = attempts;
  }
  MarkDirty(block);
}

std::vector<AckBlocks::Row> AckBlocks::TakeDirty() {
  std::vector<Row> rows = std::exchange(deletions_, {});
  leaving_.insert(leaving_.end(), passed_.begin(), passed_.end());
  passed_.clear();
  if (dirty_blocks_ == 0) return rows;
  for (auto& [number, block] : blocks_) {
    if (!block.dirty) continue;
    block.dirty = false;
    if (!NeedsRow(number, block)) continue;
    state::v1::AckBlock stored;
    std::string& settled = *stored.mutable_settled();
    settled.resize(kBitmapBytes);
    for (size_t i = 0; i < kBitmapBytes; ++i) settled[i] = static_cast<char>(block.settled[i / 8] >> (i % 8 * 8));
    for (const auto& [offset, attempts] : block.attempts) {
      stored.add_offsets(offset);
      stored.add_attempts(attempts.count);
      stored.add_due_ms(attempts.due_ms);
    }
    rows.push_back({number, stored.SerializeAsString(), block.revision});
  }
  dirty_blocks_ = 0;
  return rows;
}

void AckBlocks::FloorWritten(bool durable) {
  std::vector<Row>& to = durable ? deletions_ : passed_;
  to.insert(to.end(), leaving_.begin(), leaving_.end());
  leaving_.clear();
}

void AckBlocks::Written(const Row& row, std::optional<uint64_t> revision) {
  const auto found = blocks_.find(row.number);
  if (!row.value.has_value()) {
    if (revision.has_value()) return;
    if (found == blocks_.end()) {
      deletions_.push_back(row);
    } else {
      found->second.revision = row.expected_revision;  // merged anew while the entry was to go
    }
  } else if (found == blocks_.end()) {
    // The floor passed the block while it was being written: the entry has to go after all.
    const uint64_t stored = revision.value_or(row.expected_revision);
    for (Row& deletion : passed_) {
      if (deletion.number != row.number) continue;
      deletion.expected_revision = stored;
      return;
    }
    if (stored != 0) passed_.push_back({row.number, std::nullopt, stored});
  } else if (revision.has_value()) {
    found->second.revision = *revision;
  } else {
    MarkDirty(found->second);
  }
}

AckBlocks::Block& AckBlocks::At(uint64_t sequence) {
  const auto [place, is_new] = blocks_.try_emplace(NumberOf(sequence));
  if (is_new) Readopt(place->first, place->second);
  return place->second;
}

void AckBlocks::Readopt(uint64_t number, Block& block) {
  for (std::vector<Row>* const rows : {&passed_, &leaving_, &deletions_}) {
    for (auto it = rows->begin(); it != rows->end(); ++it) {
      if (it->number != number) continue;
      block.revision = it->expected_revision;
      rows->erase(it);
      return;
    }
  }
}

void AckBlocks::MarkDirty(Block& block) {
  if (block.dirty) return;
  block.dirty = true;
  ++dirty_blocks_;
}

uint64_t AckBlocks::Count(uint64_t number, const Block& block, uint64_t after, uint64_t through) {
  const uint64_t first = number * kSequences;
  uint64_t count = 0;
  for (size_t word = 0; word < block.settled.size(); ++word) {
    const uint64_t low = first + word * 64;
    const uint64_t high = low + 63;
    if (high <= after || low > through || block.settled[word] == 0) continue;
    uint64_t bits = block.settled[word];
    if (low <= after) bits &= ~uint64_t{0} << (after - low + 1);
    if (high > through) bits &= ~uint64_t{0} >> (high - through);
    count += static_cast<uint64_t>(std::popcount(bits));
  }
  return count;
}

bool AckBlocks::NeedsRow(uint64_t number, const Block& block) const {
  return !block.attempts.empty() || Count(number, block, floor_, UINT64_MAX) > 0;
}

}  // namespace aulm::gateway
