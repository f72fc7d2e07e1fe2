#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/storage/event_log.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/log_table.h"
#include "service/storage/sqlite/state_reader.h"
#include "service/storage/sqlite/store_lock.h"

namespace aulm::gateway {

// An embedded store that is read from end to end while no gateway has it: everything that is kept, in order, each kind
// to a function, whose first error ends the reading. Changes nothing, but for a schema that is brought up to date.
// Everything blocks; one thread uses it. Errors: those of SqliteStore::Open.
class SqliteExport {
 public:
  // NOT_FOUND where there is no store.
  static absl::StatusOr<std::unique_ptr<SqliteExport>> Open(const std::string& folder);

  LogInfo info() const { return info_; }

  // With their raw bodies.
  absl::Status Events(absl::FunctionRef<absl::Status(const LoggedEvent& event)> take);

  // DeliveryKey of those whose events are no longer in the log, and of others.
  absl::Status Deliveries(absl::FunctionRef<absl::Status(absl::string_view key, uint64_t sequence)> take);

  // What is neither deleted nor expired at `now`.
  absl::Status State(absl::Time now, absl::FunctionRef<absl::Status(absl::string_view bucket, absl::string_view key,
                                                                    absl::string_view value, absl::Time expires)>
                                         take);

 private:
  SqliteExport(StoreLock lock, std::string file) : lock_(std::move(lock)), file_(std::move(file)) {}

  absl::Status OpenTables();
  absl::Status OpenState();

  const StoreLock lock_;
  const std::string file_;
  Connection connection_;
  std::unique_ptr<StateReader> state_;
  std::set<std::string> buckets_;  // of the state
  LogInfo info_;
};

}  // namespace aulm::gateway
