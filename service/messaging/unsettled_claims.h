#pragma once

#include <memory>
#include <vector>

#include "absl/time/time.h"
#include "prometheus/gauge.h"
#include "service/base/clock.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Claims whose end the store would not take down, on a full disk for example. Their callers are answered; the writes
// are tried again every second until the store takes them or the claim's lease is over, since from then on others read
// the claim as unknown. Thread-safe; never blocks.
class UnsettledClaims : public std::enable_shared_from_this<UnsettledClaims> {
 public:
  // The store outlives the clock's timers, and the others this. `count` shows how many there are.
  static std::shared_ptr<UnsettledClaims> Create(StateStore& store, Clock& clock, prometheus::Gauge& count);

  // `writes`: those that failed, as they were.
  void Add(std::vector<StateWrite> writes, absl::Time lease_ends);

 private:
  UnsettledClaims(StateStore& store, Clock& clock, prometheus::Gauge& count);

  void TryLater(std::vector<StateWrite> writes, absl::Time lease_ends);
  void Try(std::vector<StateWrite> writes, absl::Time lease_ends);
  void OnWritten(std::vector<StateWrite> writes, absl::Time lease_ends,
                 const std::vector<absl::StatusOr<uint64_t>>& results);

  StateStore& store_;
  Clock& clock_;
  prometheus::Gauge& count_;
};

// The writes of a batch that the store may take another time. What found another revision is settled by somebody else.
std::vector<StateWrite> WritesToRepeat(std::vector<StateWrite> writes,
                                       const std::vector<absl::StatusOr<uint64_t>>& results);

}  // namespace aulm::gateway
