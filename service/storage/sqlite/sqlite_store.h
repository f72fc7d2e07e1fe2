#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/storage/no_peers.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/delivery_index.h"
#include "service/storage/sqlite/group_writer.h"
#include "service/storage/sqlite/log_table.h"
#include "service/storage/sqlite/sqlite_event_log.h"
#include "service/storage/sqlite/sqlite_state_store.h"
#include "service/storage/sqlite/state_table.h"
#include "service/storage/sqlite/store_lock.h"
#include "service/storage/storage_metrics.h"
#include "service/storage/store.h"
#include "service/storage/task_thread.h"

namespace aulm::gateway {

// An embedded store: a folder with one database file, "gateway.db", that one process at a time holds. It owns the
// writer's thread and the state's, and hands out the log and the state that live on them. Destroying it commits what
// waits, calls every callback, and closes the file; nobody may be calling its parts any more by then.
class SqliteStore {
 public:
  // Opens the store in `folder`, making what is missing (folder 0700, files 0600), and brings its schema up to date.
  // The time it takes does not grow with the store. Errors: FAILED_PRECONDITION when the folder is in use or its schema
  // is newer than this program; INTERNAL when it is damaged; RESOURCE_EXHAUSTED when the disk is full; UNAVAILABLE.
  static absl::StatusOr<std::unique_ptr<SqliteStore>> Open(const std::string& folder, const StoreOptions& options,
                                                           Clock& clock, Random& random,
                                                           prometheus::Registry& registry);
  ~SqliteStore();

  SqliteStore(const SqliteStore&) = delete;
  SqliteStore& operator=(const SqliteStore&) = delete;

  EventLog& log() { return *log_; }
  StateStore& state() { return *state_; }
  PeerChannel& peers() { return peers_; }

  // CheckWholeStore on this store. Blocks. Thread-safe.
  absl::Status FullCheck() const;

 private:
  SqliteStore(StoreLock lock, std::string file, std::string self, prometheus::Registry& registry);

  absl::Status OpenTables(uint64_t fresh_epoch);
  absl::Status Start(const StoreOptions& options, Clock& clock, uint64_t first_revision);

  const StoreLock lock_;
  const std::string file_;
  NoPeers peers_;
  StorageMetrics metrics_;
  Connection connection_;
  std::unique_ptr<LogTable> log_table_;
  std::unique_ptr<DeliveryIndex> delivery_index_;
  std::unique_ptr<StateTable> state_table_;
  std::unique_ptr<GroupWriter> writer_;
  std::unique_ptr<TaskThread> tasks_;
  std::unique_ptr<SqliteEventLog> log_;
  std::unique_ptr<SqliteStateStore> state_;
};

}  // namespace aulm::gateway
