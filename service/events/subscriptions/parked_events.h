#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/btree_set.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/subscription_record.pb.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

inline constexpr char kParkedEvents[] = "parked_events";

// Under which key of the bucket parked_events an event of a subscription is kept: sorts by the time of parking.
inline std::string ParkedKey(absl::string_view subscription_id, int64_t parked_ms, uint64_t sequence) {
  return absl::StrFormat("%s/%020d-%020d", subscription_id, parked_ms, sequence);
}

// Which events of a subscription are parked, or on their way back, and since when: what is needed to find and to count
// them, never the events. Not thread-safe.
class ParkedEvents {
 public:
  struct Replaying {
    int64_t parked_ms = 0;
    uint64_t conversation = 0;
  };

  void Park(uint64_t sequence, int64_t parked_ms) {
    parked_[sequence] = parked_ms;
    by_time_.insert({parked_ms, sequence});
  }
  void Unpark(uint64_t sequence) {
    const auto found = parked_.find(sequence);
    if (found == parked_.end()) return;
    by_time_.erase({found->second, sequence});
    parked_.erase(found);
  }
  // Forgets what was parked before `time`: the store does so by itself.
  void Expire(absl::Time time) {
    while (!by_time_.empty() && by_time_.begin()->first < absl::ToUnixMillis(time)) Unpark(by_time_.begin()->second);
  }
  std::optional<int64_t> ParkedAt(uint64_t sequence) const {
    const auto found = parked_.find(sequence);
    if (found == parked_.end()) return std::nullopt;
    return found->second;
  }
  size_t size() const { return parked_.size(); }

  absl::flat_hash_map<uint64_t, Replaying>& replaying() { return replaying_; }

 private:
  absl::flat_hash_map<uint64_t, int64_t> parked_;
  absl::btree_set<std::pair<int64_t, uint64_t>> by_time_;
  absl::flat_hash_map<uint64_t, Replaying> replaying_;
};

}  // namespace aulm::gateway
