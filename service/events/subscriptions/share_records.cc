#include "service/events/subscriptions/share_records.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "service/events/subscriptions/blocking_state.h"

namespace aulm::gateway {
namespace {

// What stands where a block is that was named and never written.
constexpr char kNoBlock[] = "none";

// Somebody who writes all the time can be faster only so often.
constexpr int kFenceTries = 100;

// Rewrites an entry as it is, or makes an empty one, so that whoever means to write to what was there fails. Returns
// what stands there now.
absl::StatusOr<std::string> Fence(StateStore& state, const std::string& bucket, const std::string& key) {
  for (int attempt = 0; attempt < kFenceTries; ++attempt) {
    const absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state, bucket, key);
    if (!stored.ok()) return stored.status();
    std::string value = stored->has_value() ? (*stored)->value : kNoBlock;
    const uint64_t revision = stored->has_value() ? (*stored)->revision : 0;
    const auto written = WriteNow(state, {{bucket, key, value, revision}});
    if (written[0].ok()) return value;
    if (!absl::IsAborted(written[0].status())) return written[0].status();
  }
  return absl::AbortedError(absl::StrCat(bucket, " ", key, " is being written all the time"));
}

absl::StatusOr<std::string> ReadEntry(StateStore& state, const std::string& bucket, const std::string& key,
                                      bool fence) {
  if (fence) return Fence(state, bucket, key);
  const absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state, bucket, key);
  if (!stored.ok()) return stored.status();
  return stored->has_value() ? (*stored)->value : kNoBlock;
}

}  // namespace

std::string ShareKey(absl::string_view subscription_id, absl::string_view share_key) {
  return absl::StrCat(subscription_id, "/", share_key);
}

std::string AckKey(absl::string_view subscription_id, absl::string_view share_key, uint64_t block) {
  return absl::StrFormat("%s/%s/%020d", subscription_id, share_key, block);
}

absl::StatusOr<StoredAssignment> ReadAssignment(StateStore& state, const std::string& subscription_id) {
  const absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state, kAssignments, subscription_id);
  if (!stored.ok()) return stored.status();
  if (!stored->has_value()) return absl::NotFoundError("the subscription has no assignment");
  state::v1::SubscriptionAssignment record;
  if (!record.ParseFromString((*stored)->value)) return absl::DataLossError("the assignment cannot be decoded");
  return StoredAssignment{Assignment(std::move(record)), (*stored)->revision};
}

absl::StatusOr<uint64_t> WriteAssignment(StateStore& state, const std::string& subscription_id,
                                         const Assignment& assignment, uint64_t expected_revision) {
  return WriteNow(state,
                  {{kAssignments, subscription_id, assignment.record().SerializeAsString(), expected_revision}})[0];
}

state::v1::SubscriptionShare ToRecord(const AckBlocks& blocks, const PartitionFloors& floors, PartitionSet partitions) {
  state::v1::SubscriptionShare record;
  record.set_floor(blocks.floor());
  ForEachPartition(partitions, [&](int partition) {
    const uint64_t floor = floors[static_cast<size_t>(partition)];
    if (floor <= blocks.floor()) return;
    record.add_partitions(static_cast<uint32_t>(partition));
    record.add_partition_floors(floor);
  });
  for (const uint64_t number : blocks.Numbers()) record.add_blocks(number);
  return record;
}

absl::StatusOr<ShareContent> ReadShare(StateStore& state, const std::string& subscription_id,
                                       const std::string& share_key, bool fence) {
  ShareContent content;
  absl::StatusOr<std::string> value = ReadEntry(state, kShares, ShareKey(subscription_id, share_key), fence);
  if (!value.ok()) return value.status();
  state::v1::SubscriptionShare& record = content.record;
  if (*value == kNoBlock || !record.ParseFromString(*value) ||
      record.partitions_size() != record.partition_floors_size()) {
    return absl::DataLossError("the position cannot be read");
  }
  content.part = SharedLedger::Part(record.floor());
  for (int i = 0; i < record.partitions_size(); ++i) {
    content.part.floors[record.partitions(i) % kPartitions] = record.partition_floors(i);
  }
  // The record names every block that a round which succeeded has written.
  for (const uint64_t number : record.blocks()) {
    value = ReadEntry(state, kAcks, AckKey(subscription_id, share_key, number), fence);
    if (!value.ok()) return value.status();
    if (*value == kNoBlock) continue;
    if (absl::Status bad = content.part.blocks.Restore(number, *value); !bad.ok()) {
      return absl::DataLossError(bad.message());
    }
  }
  return content;
}

absl::Status FenceShare(StateStore& state, const std::string& subscription_id, const std::string& share_key) {
  return Fence(state, kShares, ShareKey(subscription_id, share_key)).status();
}

absl::Status WriteShare(StateStore& state, const std::string& subscription_id, const std::string& share_key,
                        const ShareContent& content) {
  std::vector<StateWrite> writes;
  writes.push_back({kShares, ShareKey(subscription_id, share_key), content.record.SerializeAsString(), std::nullopt});
  AckBlocks blocks(content.part.blocks.floor());
  blocks.Merge(content.part.blocks);  // all of it is to be written
  for (const AckBlocks::Row& row : blocks.TakeDirty()) {
    if (!row.value.has_value()) continue;
    writes.push_back({kAcks, AckKey(subscription_id, share_key, row.number), row.value, std::nullopt});
  }
  for (const absl::StatusOr<uint64_t>& result : WriteNow(state, std::move(writes))) {
    if (!result.ok()) return result.status();
  }
  return absl::OkStatus();
}

void DeleteShare(StateStore& state, const std::string& subscription_id, const std::string& share_key) {
  DeleteAllNow(state, kAcks, absl::StrCat(ShareKey(subscription_id, share_key), "/")).IgnoreError();
  WriteNow(state, {{kShares, ShareKey(subscription_id, share_key), std::nullopt, std::nullopt}});
}

}  // namespace aulm::gateway
