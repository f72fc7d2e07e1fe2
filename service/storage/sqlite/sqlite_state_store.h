#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/btree_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "service/base/clock.h"
#include "service/storage/sqlite/group_writer.h"
#include "service/storage/sqlite/state_reader.h"
#include "service/storage/sqlite/state_row.h"
#include "service/storage/state_store.h"
#include "service/storage/task_thread.h"

namespace aulm::gateway {

// The state of an embedded store. Every call becomes a task of one thread, the store's, which reads the disk but never
// waits for an fsync: it decides each write against what the key holds, and hands it to the writer. What was decided
// and is not yet committed it keeps in `keys_`, so that reads see relaxed writes at once; durable ones show when they
// are durable, and until then other writes of the same key wait behind them.
class SqliteStateStore final : public StateStore {
 public:
  // `first_revision` must be above every revision that an earlier process gave. At most `max_open` calls and
  // uncommitted keys are kept each; more are refused. All must outlive the store, and `thread` must run no task after
  // it is gone.
  SqliteStateStore(std::unique_ptr<StateReader> reader, GroupWriter& writer, TaskThread& thread, Clock& clock,
                   uint64_t first_revision, size_t max_open);

  void Write(std::vector<StateWrite> writes, Durability durability, WriteCallback done) override;
  void Get(std::string bucket, std::string key, GetCallback done) override;
  void List(std::string bucket, std::string prefix, std::string after_key, size_t limit, ListCallback done) override;

  // The writer tells what became of rows that it was given. From any thread.
  void Settle(std::vector<StateRowPtr> rows, absl::Status status);
  // The writer put rows that were committed into their table. From any thread.
  void Merged(std::vector<StateRowPtr> rows);

  // From now on calls are refused. From any thread.
  void Close() { closed_ = true; }

 private:
  // A call of Write whose writes are being decided and committed one by one.
  struct Call {
    std::vector<absl::StatusOr<uint64_t>> results;
    size_t open;
    WriteCallback done;
    Durability durability;
  };

  // One write of a call.
  struct Item {
    std::shared_ptr<Call> call;
    size_t index;
    StateWrite write;
  };

  // A durable write on its way to the disk; its value went to the writer.
  struct Durable {
    Item item;
    uint64_t revision;
    bool deletes;
  };

  // A key with something that is not committed yet.
  struct Key {
    StateRowPtr visible;             // the newest relaxed write: what reads see
    std::optional<Durable> durable;  // newer than `visible`, and not to be seen yet
    std::vector<Item> waiting;       // what came for the key after `durable`

    bool IsIdle() const { return visible == nullptr && !durable.has_value() && waiting.empty(); }
  };

  absl::Status Admit();

  // The rest runs on the store's thread.
  void Decide(Item item);
  void Resolve(Item& item, absl::StatusOr<uint64_t> result);
  void SettleRow(const StateRow& row, const absl::Status& status);
  // What reads see; null when there is nothing.
  absl::StatusOr<StateRowPtr> Current(const std::string& name);
  absl::StatusOr<std::vector<StateEntry>> ListNow(const std::string& bucket, const std::string& prefix,
                                                  const std::string& after_key, size_t limit);

  const std::unique_ptr<StateReader> reader_;
  GroupWriter& writer_;
  TaskThread& thread_;
  Clock& clock_;
  const size_t max_open_;
  std::atomic<size_t> open_calls_{0};
  std::atomic<bool> closed_{false};
  uint64_t next_revision_;
  absl::btree_map<std::string, Key> keys_;
};

}  // namespace aulm::gateway
