#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// What a SHARED subscription knows of the sequences above its floor: which are settled (a bit each), and how often
// those were delivered that are not. Kept in blocks of 4096 sequences, each of which is one entry of the state store,
// so that an acknowledgement writes half a kilobyte however far the window reaches, and a window of a million events
// takes 128 KiB. Bits are only ever set, so any part of a batch that was written is right on its own. Pure: no I/O, not
// thread-safe.
class AckBlocks {
 public:
  static constexpr uint64_t kSequences = 4096;  // a block

  // Deliveries of an event that is not settled.
  struct Attempts {
    uint32_t count = 0;
    int64_t due_ms = 0;  // not before this time again; 0: at once
  };

  // A block that the store does not have as it is now. `value` is an encoded state.v1.AckBlock; nullopt: the entry is
  // to be deleted, since the floor has passed it.
  struct Row {
    uint64_t number = 0;
    std::optional<std::string> value;
    uint64_t expected_revision = 0;  // 0: the store has no entry
  };

  explicit AckBlocks(uint64_t floor) : floor_(floor) {}

  // Takes in what some store has, which this is not going to write to. Error: INVALID_ARGUMENT when `value` is no
  // AckBlock.
  absl::Status Restore(uint64_t number, absl::string_view value);

  uint64_t floor() const { return floor_; }

  // Forgets everything up to `floor`, which falls by Merge alone.
  void RaiseFloor(uint64_t floor);

  // Takes in what another has, for the rest of its events: what is settled here or there is settled, above the lower
  // floor of the two. What was between the floors has to be known from elsewhere.
  void Merge(const AckBlocks& other);

  // Settled sequences after `sequence`.
  uint64_t SettledAfter(uint64_t sequence) const;

  // The numbers of the blocks that there are, written or not.
  std::vector<uint64_t> Numbers() const;

  // True for everything up to the floor.
  bool IsSettled(uint64_t sequence) const;

  // Also forgets its attempts.
  void Settle(uint64_t sequence);

  Attempts AttemptsOf(uint64_t sequence) const;
  // Forgets the attempts of those for which `keep` says false.
  void FilterAttempts(absl::FunctionRef<bool(uint64_t sequence)> keep);
  void SetAttempts(uint64_t sequence, const Attempts& attempts);

  // Settled sequences above the floor.
  uint64_t settled_above() const { return settled_above_; }

  bool dirty() const { return dirty_blocks_ > 0 || !passed_.empty() || !deletions_.empty(); }

  // What has to be written, as it is now; it no longer counts as dirty. Beside it goes whatever says which floor and
  // Numbers() the store has.
  std::vector<Row> TakeDirty();

  // Floor and Numbers() as of the last TakeDirty are durable, or (false) perhaps not. A block is deleted only after
  // the former, in another round: whoever finds an older floor needs the block, whose bits no other place has.
  void FloorWritten(bool durable);
  // Blocks go once FloorWritten says that what goes along with the last TakeDirty is durable.
  bool has_leaving() const { return !leaving_.empty(); }

  // What became of a row of TakeDirty: its new revision, or nothing when it failed; then it is dirty again.
  void Written(const Row& row, std::optional<uint64_t> revision);

 private:
  struct Block {
    std::array<uint64_t, kSequences / 64> settled{};
    absl::btree_map<uint16_t, Attempts> attempts;
    uint64_t revision = 0;
    bool dirty = false;
  };

  Block& At(uint64_t sequence);
  // The entry that the store still has of a block that comes again: it is written instead of deleted.
  void Readopt(uint64_t number, Block& block);
  void MarkDirty(Block& block);
  // How many of the block's bits stand for a sequence in (after, through].
  static uint64_t Count(uint64_t number, const Block& block, uint64_t after, uint64_t through);
  bool NeedsRow(uint64_t number, const Block& block) const;

  uint64_t floor_;
  uint64_t settled_above_ = 0;
  size_t dirty_blocks_ = 0;
  absl::btree_map<uint64_t, Block> blocks_;
  // Entries of blocks that the floor passed, on their way: what the store has as the floor may still need them; that is
  // being written; they can be deleted.
  std::vector<Row> passed_, leaving_, deletions_;
};

}  // namespace aulm::gateway
