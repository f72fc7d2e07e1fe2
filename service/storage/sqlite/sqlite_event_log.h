#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "service/storage/event_log.h"
#include "service/storage/sqlite/committed_events.h"
#include "service/storage/sqlite/group_writer.h"
#include "service/storage/sqlite/log_reader.h"
#include "service/storage/task_thread.h"

namespace aulm::gateway {

// The log of an embedded store. Appends go to the store's one writer; reads run on the calling thread, on connections
// of their own; what was committed a moment ago they find in memory.
class SqliteEventLog final : public EventLog {
 public:
  // `refusals` runs the callbacks of appends that the writer did not take: at once, while the writer waits for the
  // disk. Both must outlive the log. About `recent_events` stay in memory.
  SqliteEventLog(std::string file, GroupWriter& writer, TaskThread& refusals, size_t recent_events);

  void Append(NewEvent event, AppendCallback done) override;
  absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits) override;
  absl::StatusOr<uint64_t> FindTime(absl::Time time) override;
  absl::StatusOr<uint64_t> FindHead() override { return Info().head; }
  LogInfo Info() const override;
  void Watch(std::function<void(uint64_t head)> on_head) override;
  void Unwatch() override;

  // The writer tells what it committed, and then where the log stands now.
  void Remember(std::vector<CommittedEvent> events) { recent_.Add(std::move(events)); }
  void SetInfo(const LogInfo& info);

 private:
  GroupWriter& writer_;
  TaskThread& refusals_;
  LogReaders readers_;
  CommittedEvents recent_;

  mutable absl::Mutex mutex_;
  LogInfo info_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<const std::function<void(uint64_t)>> watcher_ ABSL_GUARDED_BY(mutex_);
  std::thread::id watching_ ABSL_GUARDED_BY(mutex_);  // the thread that runs the watcher right now
};

}  // namespace aulm::gateway
