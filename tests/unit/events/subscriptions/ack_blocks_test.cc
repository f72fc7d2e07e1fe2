#include "service/events/subscriptions/ack_blocks.h"

#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

// The store's side: what every row of TakeDirty came to. A round says the floor first.
class Rows {
 public:
  void Write(AckBlocks& blocks) {
    const std::vector<AckBlocks::Row> rows = blocks.TakeDirty();
    blocks.FloorWritten(true);
    Write(blocks, rows);
  }
  void Write(AckBlocks& blocks, const std::vector<AckBlocks::Row>& rows) {
    for (const AckBlocks::Row& row : rows) {
      const auto stored = rows_.find(row.number);
      EXPECT_EQ(stored == rows_.end() ? 0 : stored->second.second, row.expected_revision);
      if (row.value.has_value()) {
        rows_[row.number] = {*row.value, ++revision_};
        blocks.Written(row, revision_);
      } else {
        rows_.erase(row.number);
        blocks.Written(row, 0);
      }
    }
  }
  AckBlocks Load(uint64_t floor) const {
    AckBlocks blocks(floor);
    for (const auto& [number, row] : rows_) EXPECT_TRUE(blocks.Restore(number, row.first).ok());
    return blocks;
  }
  size_t size() const { return rows_.size(); }

 private:
  std::map<uint64_t, std::pair<std::string, uint64_t>> rows_;
  uint64_t revision_ = 0;
};

TEST(AckBlocksTest, WhatWasWrittenIsReadBack) {
  AckBlocks blocks(10);
  blocks.Settle(12);
  blocks.Settle(5000);
  blocks.SetAttempts(13, {3, 77});
  Rows rows;
  rows.Write(blocks);
  const AckBlocks again = rows.Load(10);
  EXPECT_TRUE(again.IsSettled(12));
  EXPECT_TRUE(again.IsSettled(5000));
  EXPECT_FALSE(again.IsSettled(13));
  EXPECT_EQ(again.AttemptsOf(13).count, 3u);
  EXPECT_EQ(again.AttemptsOf(13).due_ms, 77);
  EXPECT_EQ(again.settled_above(), 2u);
}

TEST(AckBlocksTest, SettlingInOrderWritesNoBlock) {
  AckBlocks blocks(0);
  Rows rows;
  for (uint64_t sequence = 1; sequence <= 10'000; ++sequence) {
    blocks.SetAttempts(sequence, {1, 0});
    blocks.Settle(sequence);
    blocks.RaiseFloor(sequence);
  }
  rows.Write(blocks);
  EXPECT_EQ(rows.size(), 0u);
  EXPECT_EQ(blocks.settled_above(), 0u);
}

TEST(AckBlocksTest, TheFloorDeletesWhatItPassed) {
  AckBlocks blocks(0);
  for (uint64_t sequence = 2; sequence <= 9000; ++sequence) blocks.Settle(sequence);
  Rows rows;
  rows.Write(blocks);
  EXPECT_EQ(rows.size(), 3u);
  blocks.Settle(1);
  blocks.RaiseFloor(9000);
  rows.Write(blocks);
  EXPECT_EQ(rows.size(), 3u) << "until the new floor is written, somebody may need them";
  rows.Write(blocks);
  EXPECT_EQ(rows.size(), 1u) << "the block that the floor stands in";
  EXPECT_EQ(blocks.settled_above(), 0u);
  EXPECT_FALSE(blocks.dirty());
}

TEST(AckBlocksTest, AFloorThatWasNotWrittenDeletesNothing) {
  AckBlocks blocks(0);
  for (uint64_t sequence = 2; sequence <= 5000; ++sequence) blocks.Settle(sequence);
  Rows rows;
  rows.Write(blocks);
  blocks.Settle(1);
  blocks.RaiseFloor(5000);
  for (int round = 0; round < 3; ++round) {
    const std::vector<AckBlocks::Row> taken = blocks.TakeDirty();
    EXPECT_TRUE(blocks.has_leaving());
    blocks.FloorWritten(false);
    rows.Write(blocks, taken);
    EXPECT_TRUE(blocks.dirty());
  }
  EXPECT_TRUE(rows.Load(0).IsSettled(2)) << "what the store has as the floor is still 0";
}

TEST(AckBlocksTest, ABlockThatIsNeededAgainIsWrittenOverTheEntryThatWasToGo) {
  for (const int rounds : {0, 1}) {
    AckBlocks blocks(0);
    Rows rows;
    blocks.Settle(2);
    rows.Write(blocks);
    blocks.RaiseFloor(5000);  // its entry is to be deleted
    for (int round = 0; round < rounds; ++round) rows.Write(blocks);
    blocks.Merge(AckBlocks(0));  // partitions came that are not so far
    blocks.Settle(3);
    rows.Write(blocks);
    rows.Write(blocks);
    EXPECT_EQ(rows.size(), 1u);
    EXPECT_TRUE(rows.Load(0).IsSettled(3));
  }
}

TEST(AckBlocksTest, AFailedRowIsWrittenAgain) {
  AckBlocks blocks(0);
  blocks.Settle(2);
  for (const AckBlocks::Row& row : blocks.TakeDirty()) blocks.Written(row, std::nullopt);
  ASSERT_TRUE(blocks.dirty());
  Rows rows;
  rows.Write(blocks);
  EXPECT_FALSE(blocks.dirty());
  EXPECT_TRUE(rows.Load(0).IsSettled(2));
}

TEST(AckBlocksTest, ABlockThatTheFloorPassedWhileItWasWrittenIsDeleted) {
  AckBlocks blocks(0);
  blocks.Settle(2);
  const std::vector<AckBlocks::Row> rows = blocks.TakeDirty();
  ASSERT_EQ(rows.size(), 1u);
  blocks.RaiseFloor(5000);
  blocks.FloorWritten(true);  // that before it
  blocks.Written(rows[0], 9);
  EXPECT_TRUE(blocks.TakeDirty().empty()) << "the floor is not written yet";
  blocks.FloorWritten(true);
  const std::vector<AckBlocks::Row> after = blocks.TakeDirty();
  ASSERT_EQ(after.size(), 1u);
  EXPECT_FALSE(after[0].value.has_value());
  EXPECT_EQ(after[0].expected_revision, 9u);
}

TEST(AckBlocksTest, MergingKnowsWhatEitherKnewAboveTheLowerFloor) {
  AckBlocks blocks(9000);
  blocks.Settle(9002);
  AckBlocks other(10);
  other.Settle(12);
  other.Settle(9004);
  other.SetAttempts(9002, {2, 0});
  other.SetAttempts(9005, {3, 0});
  blocks.Merge(other);
  EXPECT_EQ(blocks.floor(), 10u);
  for (const uint64_t sequence : {12, 9002, 9004}) EXPECT_TRUE(blocks.IsSettled(sequence)) << sequence;
  EXPECT_FALSE(blocks.IsSettled(11));
  EXPECT_EQ(blocks.settled_above(), 3u);
  EXPECT_EQ(blocks.AttemptsOf(9002).count, 0u) << "it is settled";
  EXPECT_EQ(blocks.AttemptsOf(9005).count, 3u);
  Rows rows;
  rows.Write(blocks);
  EXPECT_TRUE(rows.Load(10).IsSettled(12));
}

TEST(AckBlocksTest, ABlockThatComesBackIsWrittenOverTheEntryThatWasToGo) {
  AckBlocks blocks(0);
  Rows rows;
  blocks.Settle(2);
  rows.Write(blocks);
  blocks.RaiseFloor(5000);  // its entry is to be deleted
  AckBlocks other(0);
  other.Settle(3);
  blocks.Merge(other);
  rows.Write(blocks);
  EXPECT_EQ(rows.size(), 1u);
  EXPECT_TRUE(rows.Load(0).IsSettled(3));
}

TEST(AckBlocksTest, DamagedBlocksAreRefused) {
  AckBlocks blocks(0);
  EXPECT_FALSE(blocks.Restore(0, "nonsense").ok());
  EXPECT_FALSE(blocks.Restore(0, "").ok());
}

TEST(AckBlocksTest, IsASetOfSequences) {
  std::mt19937_64 chance(1);
  AckBlocks blocks(0);
  std::set<uint64_t> settled;
  uint64_t floor = 0;
  for (int step = 0; step < 20'000; ++step) {
    const uint64_t sequence = floor + 1 + chance() % 20'000;
    settled.insert(sequence);
    blocks.Settle(sequence);
    if (step % 100 == 0) {
      floor += chance() % 300;
      blocks.RaiseFloor(floor);
      settled.erase(settled.begin(), settled.upper_bound(floor));
      ASSERT_EQ(blocks.settled_above(), settled.size());
    }
  }
  for (uint64_t sequence = floor + 1; sequence <= floor + 20'000; ++sequence) {
    ASSERT_EQ(blocks.IsSettled(sequence), settled.contains(sequence)) << sequence;
  }
}

}  // namespace
}  // namespace aulm::gateway
