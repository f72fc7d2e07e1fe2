#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

// Which deliveries were seen, whether or not their events are still in the log. Keys are random, so there is no index
// by time: a sweep in the order of the keys finds the expired ones, and touches each page once however many of its rows
// go. Only the writer's thread uses it, and the transactions are its caller's.
class DeliveryTable {
 public:
  static absl::StatusOr<DeliveryTable> Open(Connection& connection);

  // Remembers `key` as that of event `sequence`. True when it was new; else nothing changes.
  absl::StatusOr<bool> Insert(absl::string_view key, uint64_t sequence, int64_t now_ms);

  // The sequence that `key` was first stored with; 0 when it was not.
  absl::StatusOr<uint64_t> Find(absl::string_view key);

  // Deletes the expired among the next rows in the order of keys, which it leaves off at; true when it came to the end
  // of the table and will begin anew.
  absl::StatusOr<bool> Sweep(int64_t before_ms);

 private:
  explicit DeliveryTable(Connection& connection) : connection_(&connection) {}

  Connection* connection_;
  Statement insert_, find_, after_, delete_;
  std::string swept_;  // the key that the sweep has come to
};

}  // namespace aulm::gateway
