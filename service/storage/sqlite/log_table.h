#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/storage/event_log.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

// The writer's side of the log: gives sequences and ingested times, stores events, deletes the oldest. It keeps where
// the log stands in memory; a transaction that fails must be followed by Restore. Only the writer's thread uses it, and
// the transactions are its caller's.
class LogTable {
 public:
  // Where the log stands: what one transaction changes.
  struct Position {
    uint64_t epoch = 0;
    uint64_t earliest = 1;  // head + 1 when the log is empty
    uint64_t head = 0;
    int64_t ingested_ms = 0;   // of the newest event ever stored
    int64_t begin_offset = 0;  // of the oldest event kept
    int64_t end_offset = 0;    // of the newest event: end_offset - begin_offset bytes are kept

    LogInfo Info() const { return LogInfo{epoch, earliest, head}; }
    uint64_t Bytes() const { return static_cast<uint64_t>(end_offset - begin_offset); }
  };

  // Reads where the log stands, and whether its ends can be read, in a time that does not grow with it. A log without
  // an epoch gets `fresh_epoch`. Errors: those of SqliteStatus.
  static absl::StatusOr<LogTable> Open(Connection& connection, uint64_t fresh_epoch);

  const Position& position() const { return position_; }
  void Restore(const Position& position) { position_ = position; }

  // Stores an event as the next one and gives its sequence. `now_ms` counts unless the clock went back.
  absl::StatusOr<uint64_t> Append(absl::string_view record, absl::string_view raw_body, int64_t now_ms);

  // Deletes the oldest events that were ingested before `before_ms`, or stand in the way of keeping at most
  // `max_bytes` (0: any number): a bounded number in one call, and none from sequence `blocked` on.
  enum class Deletion { kNothing, kSome, kBlocked };
  absl::StatusOr<Deletion> DeleteOldest(int64_t before_ms, uint64_t max_bytes, uint64_t blocked);

  // When the oldest event kept was ingested; the infinite past when there is none.
  absl::StatusOr<absl::Time> OldestTime();

 private:
  explicit LogTable(Connection& connection) : connection_(&connection) {}

  // Where a deletion ends: the first event that stays.
  struct Cut {
    uint64_t earliest;
    int64_t begin;    // among all bytes ever stored
    bool is_blocked;  // it would go too, were it not in the way of something
  };

  absl::StatusOr<Cut> FindCut(int64_t before_ms, uint64_t max_bytes, uint64_t blocked);
  absl::Status Prepare();
  absl::Status LoadPosition(uint64_t fresh_epoch);
  absl::Status SetMeta(absl::string_view name, int64_t value);

  Connection* connection_;
  Position position_;
  Statement insert_event_, insert_raw_body_, oldest_, delete_events_, delete_raw_bodies_, set_meta_;
};

// What keeping an event costs beside its bytes: counted, so that max_bytes is close to what the disk sees.
inline constexpr int64_t kEventOverheadBytes = 64;

}  // namespace aulm::gateway
