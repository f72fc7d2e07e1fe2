#include "service/storage/sqlite/sqlite_event_log.h"

#include <memory>
#include <optional>
#include <utility>

#include "service/storage/delivery_key.h"
#include "service/storage/event_record.h"
#include "service/storage/sqlite/sqlite_status.h"

namespace aulm::gateway {

SqliteEventLog::SqliteEventLog(std::string file, GroupWriter& writer, TaskThread& refusals, size_t recent_events)
    : writer_(writer), refusals_(refusals), readers_(std::move(file)), recent_(recent_events) {}

void SqliteEventLog::Append(NewEvent event, AppendCallback done) {
  // Encoded here: the callers are several, the writer is one.
  PendingAppend append;
  append.record = EncodeEventRecord(event);
  append.delivery_key = DeliveryKey(event.account, event.delivery_id);
  append.raw_body = std::move(event.raw_body);
  append.done = std::move(done);
  if (absl::Status refused = writer_.Append(append); !refused.ok()) {
    refusals_.Post([done = std::move(append.done), refused]() mutable { std::move(done)(refused); });
  }
}

absl::StatusOr<EventPage> SqliteEventLog::Read(uint64_t after, const ReadLimits& limits) {
  if (std::optional<EventPage> recent = recent_.Read(after, Info().earliest, limits); recent.has_value()) {
    return *std::move(recent);
  }
  absl::StatusOr<std::unique_ptr<LogReader>> reader = readers_.Take();
  if (!reader.ok()) return SeamStatus(reader.status());
  absl::StatusOr<EventPage> page = (*reader)->Read(after, limits);
  if (!page.ok()) return SeamStatus(page.status());
  readers_.GiveBack(*std::move(reader));
  return page;
}

absl::StatusOr<uint64_t> SqliteEventLog::FindTime(absl::Time time) {
  absl::StatusOr<std::unique_ptr<LogReader>> reader = readers_.Take();
  if (!reader.ok()) return SeamStatus(reader.status());
  absl::StatusOr<uint64_t> found = (*reader)->FindTime(time);
  if (!found.ok()) return SeamStatus(found.status());
  readers_.GiveBack(*std::move(reader));
  return found;
}

LogInfo SqliteEventLog::Info() const {
  absl::MutexLock lock(&mutex_);
  return info_;
}

void SqliteEventLog::Watch(std::function<void(uint64_t head)> on_head) {
  auto watcher = std::make_shared<const std::function<void(uint64_t)>>(std::move(on_head));
  absl::MutexLock lock(&mutex_);
  watcher_ = std::move(watcher);
}

void SqliteEventLog::Unwatch() {
  absl::MutexLock lock(&mutex_);
  watcher_ = nullptr;
  // From within the watcher itself there is nothing to wait for but ourselves.
  if (watching_ == std::this_thread::get_id()) return;
  mutex_.Await(absl::Condition(+[](std::thread::id* watching) { return *watching == std::thread::id(); }, &watching_));
}

void SqliteEventLog::SetInfo(const LogInfo& info) {
  std::shared_ptr<const std::function<void(uint64_t)>> watcher;
  {
    absl::MutexLock lock(&mutex_);
    const bool is_new_head = info.head != info_.head;
    info_ = info;
    if (!is_new_head || watcher_ == nullptr) return;
    watcher = watcher_;
    watching_ = std::this_thread::get_id();
  }
  (*watcher)(info.head);
  absl::MutexLock lock(&mutex_);
  watching_ = std::thread::id();
}

}  // namespace aulm::gateway
