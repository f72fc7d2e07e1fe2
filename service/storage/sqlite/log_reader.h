#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/storage/event_log.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

// Reads the log on a connection of its own. Each call is one short read transaction, so that no reader ever keeps the
// write-ahead log from beginning anew. Used by one thread at a time. Errors: those of SqliteStatus.
class LogReader {
 public:
  static absl::StatusOr<std::unique_ptr<LogReader>> Open(const std::string& file);

  // As EventLog::Read and EventLog::FindTime.
  absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits);
  absl::StatusOr<uint64_t> FindTime(absl::Time time);

 private:
  LogReader() = default;

  absl::StatusOr<uint64_t> FindMilliseconds(int64_t milliseconds);

  Connection connection_;
  Statement read_, read_raw_, bounds_, first_from_;
};

// The readers of one log, opened when more are wanted at once than there are. Thread-safe.
class LogReaders {
 public:
  explicit LogReaders(std::string file) : file_(std::move(file)) {}

  // Takes a reader, opening one where none is idle; give it back when done (or drop it).
  absl::StatusOr<std::unique_ptr<LogReader>> Take();
  void GiveBack(std::unique_ptr<LogReader> reader);

 private:
  const std::string file_;
  absl::Mutex mutex_;
  std::vector<std::unique_ptr<LogReader>> idle_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
