#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/event_log.h"
#include "service/storage/sqlite/committed_events.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/delivery_index.h"
#include "service/storage/sqlite/housekeeping.h"
#include "service/storage/sqlite/log_table.h"
#include "service/storage/sqlite/state_row.h"
#include "service/storage/sqlite/state_table.h"
#include "service/storage/storage_metrics.h"
#include "service/storage/wake_timer.h"

namespace aulm::gateway {

// An event that waits for the writer.
struct PendingAppend {
  std::string record;        // EncodeEventRecord
  std::string delivery_key;  // DeliveryKey; empty: never deduplicated
  std::string raw_body;
  EventLog::AppendCallback done;

  size_t Bytes() const { return record.size() + delivery_key.size() + raw_body.size(); }
};

// The one thread that writes to a store. Whenever it is free it commits everything that waits, events and state
// together: under load many share one fsync, and alone nobody waits for company. Between commits it does the
// housekeeping and the checkpoints. It makes no decision on state: rows come decided.
class GroupWriter {
 public:
  struct Limits {
    size_t queued_appends;
    size_t queued_bytes;
  };

  // Called on the writer's thread, without a lock; they must return at once.
  struct Listeners {
    // The events of one commit, in their order: before on_log tells of it.
    std::function<void(std::vector<CommittedEvent>)> on_events;
    // Where the log stands now: before any callback of the commit that brought it there.
    std::function<void(const LogInfo&)> on_log;
    // The rows of one commit, and what became of it: OK or a status of the seams.
    std::function<void(std::vector<StateRowPtr>, const absl::Status&)> on_state;
    // Rows, committed before, that now stand in the state's table.
    std::function<void(std::vector<StateRowPtr>)> on_merged;
    // Once, when an fsync failed: the store cannot go on, and neither should the process.
    std::function<void(const absl::Status&)> on_fatal;
  };

  // The tables and the connection behind them belong to the writer's thread from Start to Stop.
  GroupWriter(Connection& connection, LogTable& log, DeliveryIndex& deliveries, StateTable& state,
              Housekeeping::Rules rules, Limits limits, Clock& clock, StorageMetrics& metrics);
  ~GroupWriter();

  GroupWriter(const GroupWriter&) = delete;
  GroupWriter& operator=(const GroupWriter&) = delete;

  void Start(Listeners listeners);

  // Takes the append (and its callback, which the writer's thread calls), or leaves it as it is and says why:
  // RESOURCE_EXHAUSTED when too many wait, UNAVAILABLE after Stop or a failed fsync. Never blocks. Thread-safe.
  absl::Status Append(PendingAppend& append);

  // Puts a row in line. An urgent one goes with the next commit, and takes along what stands before it; others wait for
  // company for some milliseconds, since nobody waits for them. Errors: UNAVAILABLE after Stop or a failed fsync. Never
  // blocks. Thread-safe.
  absl::Status PutState(StateRowPtr row, bool urgent);

  // Commits what waits and ends the thread.
  void Stop();

 private:
  struct WaitingRow {
    StateRowPtr row;
    bool urgent;
  };

  // What one commit takes from the queues.
  struct Batch {
    std::vector<PendingAppend> appends;
    std::vector<StateRowPtr> rows;
    size_t queued = 0;  // appends that waited, those of the batch included

    bool empty() const { return appends.empty() && rows.empty(); }
  };

  void Run();
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  Batch Take() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void TakeRows(std::vector<StateRowPtr>& rows) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  // The rest runs on the writer's thread, without the lock.
  void Commit(Batch batch);
  absl::Status Write(const Batch& batch, std::vector<Appended>& appended);
  absl::Status WriteAppend(const PendingAppend& append, int64_t now_ms, Appended& appended);
  // Takes the records of those that were stored out of the batch.
  std::vector<CommittedEvent> TakeEvents(Batch& batch, const std::vector<Appended>& appended) const;
  void Settle(Batch batch, const std::vector<Appended>& appended);
  void Refuse(Batch batch, const absl::Status& status);
  void KeepHouse();
  void TellOfMerged();
  void Checkpoint();
  void NoteError(absl::string_view operation, const absl::Status& status);
  void NoteLog();

  Connection& connection_;
  LogTable& log_;
  DeliveryIndex& deliveries_;
  StateTable& state_;
  Housekeeping housekeeping_;
  const Limits limits_;
  Clock& clock_;
  StorageMetrics& metrics_;
  Listeners listeners_;
  std::atomic<bool> failing_{false};  // the last commit or step failed
  // Of the writer's thread: then the write-ahead log is emptied at once, so that deletions find room in its file.
  bool disk_is_full_ = false;
  int checkpointed_pages_ = 0;  // in the write-ahead log at the last checkpoint: of the writer's thread

  absl::Mutex mutex_;
  absl::CondVar work_;
  std::deque<PendingAppend> appends_ ABSL_GUARDED_BY(mutex_);
  size_t queued_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  std::deque<WaitingRow> rows_ ABSL_GUARDED_BY(mutex_);  // in the order they came: those of one name must not overtake
  size_t urgent_rows_ ABSL_GUARDED_BY(mutex_) = 0;
  bool relaxed_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool housekeeping_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status fatal_ ABSL_GUARDED_BY(mutex_);

  // Destroyed, and so silenced, before what they wake.
  WakeTimer relaxed_timer_;
  WakeTimer housekeeping_timer_;
  std::thread thread_;
};

}  // namespace aulm::gateway
