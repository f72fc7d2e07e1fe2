#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/storage/sqlite/statement.h"

struct sqlite3;

namespace aulm::gateway {

// One connection to a store's database file, set up the way every connection of the engine is: write-ahead log, full
// synchronisation, no automatic checkpoints. Used by one thread at a time.
class Connection {
 public:
  enum class Use { kWriter, kReader };

  // Opens `file`; the writer creates it (mode 0600) where it does not exist. Errors: those of SqliteStatus.
  static absl::StatusOr<Connection> Open(const std::string& file, Use use);

  Connection() = default;
  Connection(Connection&& other) noexcept;
  Connection& operator=(Connection&& other) noexcept;
  ~Connection();

  absl::StatusOr<Statement> Prepare(absl::string_view sql);

  // Prepares several statements, each into the place given with it.
  absl::Status Prepare(std::initializer_list<std::pair<Statement*, absl::string_view>> statements);

  // Runs one or more statements whose rows nobody wants.
  absl::Status Execute(const std::string& sql);

  // The single integer that `sql` gives; NOT_FOUND when it gives no row.
  absl::StatusOr<int64_t> QueryInteger(absl::string_view sql);

  // Rows that the last insert, update or delete changed.
  int64_t Changes() const;

  // Ends a transaction that failed. SQLite may have ended it already: then this does nothing.
  void RollBack();

  // Pages that the write-ahead log held after the last commit of this connection.
  int WalPages() const { return *wal_pages_; }

  // Copies what it can from the write-ahead log into the database file and makes it durable, without waiting for
  // readers. True when everything was copied, so that the next commit begins the log's file anew.
  absl::StatusOr<bool> Checkpoint();

 private:
  explicit Connection(sqlite3* db);

  sqlite3* db_ = nullptr;
  // On the heap: the hook that sets it keeps its address.
  std::unique_ptr<int> wal_pages_ = std::make_unique<int>(0);
};

}  // namespace aulm::gateway
