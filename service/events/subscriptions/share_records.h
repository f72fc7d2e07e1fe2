#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "service/events/subscriptions/assignment.h"
#include "service/events/subscriptions/shared_ledger.h"
#include "service/storage/state_store.h"

// Who has what of a subscription, and how far each share is, as the store has it. Every function that takes a store
// blocks on it; errors are the store's.
namespace aulm::gateway {

inline constexpr char kAssignments[] = "subscription_assignments";
inline constexpr char kShares[] = "subscription_shares";
inline constexpr char kAcks[] = "subscription_acks";

std::string ShareKey(absl::string_view subscription_id, absl::string_view share_key);
std::string AckKey(absl::string_view subscription_id, absl::string_view share_key, uint64_t block);

struct StoredAssignment {
  Assignment assignment;
  uint64_t revision = 0;
};

// NOT_FOUND when there is none: the subscription was deleted.
absl::StatusOr<StoredAssignment> ReadAssignment(StateStore& state, const std::string& subscription_id);

// ABORTED when somebody else was faster.
absl::StatusOr<uint64_t> WriteAssignment(StateStore& state, const std::string& subscription_id,
                                         const Assignment& assignment, uint64_t expected_revision);

// How far a share is.
struct ShareContent {
  state::v1::SubscriptionShare record;
  SharedLedger::Part part{0};
};

// The record of a share of mode SHARED: its floors, and the numbers of its blocks.
state::v1::SubscriptionShare ToRecord(const AckBlocks& blocks, const PartitionFloors& floors, PartitionSet partitions);

// `fence`: its owner may still be writing. Afterwards no round of its writes can succeed any more, and everything that
// did is in what is returned. Error: DATA_LOSS when it cannot be decoded.
absl::StatusOr<ShareContent> ReadShare(StateStore& state, const std::string& subscription_id,
                                       const std::string& share_key, bool fence);

// No round of writes of its owner can succeed any more.
absl::Status FenceShare(StateStore& state, const std::string& subscription_id, const std::string& share_key);

// Of a share that nobody has yet.
absl::Status WriteShare(StateStore& state, const std::string& subscription_id, const std::string& share_key,
                        const ShareContent& content);

// What is left of a share that nobody refers to any more. What fails only takes room.
void DeleteShare(StateStore& state, const std::string& subscription_id, const std::string& share_key);

}  // namespace aulm::gateway
