#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

// A write of one key that was decided and waits for its commit.
struct StateRow {
  std::string name;  // bucket, '/', key: a bucket has no '/', so the first one parts them
  uint64_t revision = 0;
  std::optional<std::string> value;  // nullopt: the key is deleted
  absl::Time expires = absl::InfiniteFuture();
};

// Milliseconds as the state table keeps them; infinite times become the largest and smallest numbers.
int64_t StateMilliseconds(absl::Time time);
absl::Time StateTime(int64_t milliseconds);

// The writer's side of the state: stores rows whatever was there, and sweeps out the expired. Only the writer's thread
// uses it, and the transactions are its caller's.
class StateTable {
 public:
  static absl::StatusOr<StateTable> Open(Connection& connection);

  absl::Status Put(const StateRow& row);

  // As DeliveryIndex::Sweep: rows that expired at or before `now`.
  absl::StatusOr<bool> Sweep(absl::Time now);

 private:
  StateTable() = default;

  Statement put_, delete_, after_;
  std::string swept_;
};

}  // namespace aulm::gateway
