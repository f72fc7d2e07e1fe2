#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/delivery_index.h"
#include "service/storage/sqlite/log_table.h"
#include "service/storage/sqlite/state_table.h"

namespace aulm::gateway {

// What happens in a store by itself: events leave by age and size, deliveries and state by age, and the keys of
// deliveries and the rows of state are merged into their tables. It works in steps of a few milliseconds, each a
// transaction of its own, which the writer runs between commits. Only the writer's thread uses it.
class Housekeeping {
 public:
  struct Rules {
    absl::Duration retention;
    uint64_t max_bytes = 0;  // 0: no bound
    absl::Duration dedupe_retention;
  };

  // When the next step should come.
  enum class Next { kAtOnce, kSoon, kLater };

  Housekeeping(Connection& connection, LogTable& log, DeliveryIndex& deliveries, StateTable& state, Rules rules);

  // Errors: those of SqliteStatus; then nothing was deleted.
  absl::StatusOr<Next> Step(absl::Time now);

 private:
  absl::StatusOr<Next> Work(absl::Time now);

  Connection& connection_;
  LogTable& log_;
  DeliveryIndex& deliveries_;
  StateTable& state_;
  const Rules rules_;
  absl::Time next_delivery_sweep_ = absl::InfinitePast();
  absl::Time next_state_merge_ = absl::InfinitePast();
  bool merging_state_ = false;  // since it was time; what many writes make due, their commits merge
  absl::Time next_state_sweep_ = absl::InfinitePast();
};

}  // namespace aulm::gateway
