#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace aulm::gateway {

// The conversations of a SHARED subscription are divided into 64 partitions, by their hash: what one replica leases,
// and what moves from one to another. A subscription in mode CURSOR moves as a whole.
inline constexpr int kPartitions = 64;

// One bit a partition.
using PartitionSet = uint64_t;
inline constexpr PartitionSet kNoPartitions = 0;
inline constexpr PartitionSet kAllPartitions = ~PartitionSet{0};

// A sequence for each partition.
using PartitionFloors = std::array<uint64_t, kPartitions>;

inline int PartitionOf(uint64_t conversation) { return static_cast<int>(conversation % kPartitions); }
inline PartitionSet PartitionBit(int partition) { return PartitionSet{1} << partition; }
inline bool Contains(PartitionSet set, int partition) { return (set & PartitionBit(partition)) != 0; }
inline int CountOf(PartitionSet set) { return std::popcount(set); }

// The `count` highest of `set`; all of it when it has no more.
inline PartitionSet HighestOf(PartitionSet set, int count) {
  PartitionSet highest = kNoPartitions;
  for (; count > 0 && set != 0; --count) {
    const PartitionSet bit = PartitionBit(63 - std::countl_zero(set));
    highest |= bit;
    set &= ~bit;
  }
  return highest;
}

// Calls `visit` with every partition of `set`.
template <typename Visit>
void ForEachPartition(PartitionSet set, Visit visit) {
  for (; set != 0; set &= set - 1) visit(std::countr_zero(set));
}

}  // namespace aulm::gateway
