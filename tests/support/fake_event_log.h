#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// An event log in memory that does what a test tells it: appends can be held back and released, appends and reads can
// be made to fail, old events can be trimmed away. Without holds, an append is stored and its callback has run before
// Append returns (on the appending thread, or on another that is appending at the same time). Thread-safe.
class FakeEventLog final : public EventLog {
 public:
  static constexpr size_t kUnlimited = std::numeric_limits<size_t>::max();

  // Events are ingested at `clock`'s time; without a clock, always at the same time. The clock must outlive the log.
  explicit FakeEventLog(const Clock* clock = nullptr, uint64_t epoch = 7) : clock_(clock) { info_.epoch = epoch; }

  // From now on (true) appends wait, in order, until ReleaseAppends; setting false releases those that wait.
  void HoldAppends(bool hold) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      hold_ = hold;
    }
    if (!hold) ReleaseAppends();
  }

  // Stores the `count` oldest appends that wait (or makes them fail, where FailAppends says so) and calls back.
  void ReleaseAppends(size_t count = kUnlimited) ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      for (; count > 0 && !held_.empty(); --count) {
        Settle(std::move(held_.front()));
        held_.pop_front();
      }
    }
    Deliver();
  }

  // The next `count` appends fail with `status`, at the moment they would have been stored. OK ends the failing.
  void FailAppends(absl::Status status, size_t count = kUnlimited) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    failing_appends_ = status.ok() ? 0 : count;
    append_failure_ = std::move(status);
  }

  // Every Read, FindTime and FindHead fails with `status` until it is set to OK.
  void FailReads(absl::Status status) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    read_failure_ = std::move(status);
  }

  // Drops the events below `earliest`, as retention does.
  void Trim(uint64_t earliest) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    while (!stored_.empty() && stored_.front()->sequence < earliest) stored_.pop_front();
    info_.earliest = stored_.empty() ? info_.head + 1 : stored_.front()->sequence;
  }

  // The next event's sequence will be higher by `count`: logs may have gaps.
  void SkipSequences(uint64_t count) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    next_sequence_ += count;
  }

  // Appends that wait to be released.
  size_t held_appends() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return held_.size();
  }

  // Copies of what is stored, oldest first.
  std::vector<NewEvent> stored() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    std::vector<NewEvent> events;
    for (const auto& stored : stored_) events.push_back(stored->event);
    return events;
  }

  // How often Read was called.
  size_t reads() const ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return reads_;
  }

  void Append(NewEvent event, AppendCallback done) override ABSL_LOCKS_EXCLUDED(mutex_) {
    {
      absl::MutexLock lock(&mutex_);
      Waiting waiting{std::move(event), std::move(done)};
      if (hold_ || !held_.empty()) {
        held_.push_back(std::move(waiting));
      } else {
        Settle(std::move(waiting));
      }
    }
    Deliver();
  }

  absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    ++reads_;
    if (!read_failure_.ok()) return read_failure_;
    EventPage page;
    auto memory = std::make_shared<std::vector<std::shared_ptr<const Stored>>>();
    size_t bytes = 0;
    auto next = std::upper_bound(stored_.begin(), stored_.end(), after,
                                 [](uint64_t position, const auto& stored) { return position < stored->sequence; });
    for (; next != stored_.end() && page.events.size() < limits.max_events; ++next) {
      const Stored& stored = **next;
      bytes += stored.event.event.size() + (limits.raw_body ? stored.event.raw_body.size() : 0);
      if (!page.events.empty() && bytes > limits.max_bytes) break;
      page.events.push_back(View(stored, limits.raw_body));
      memory->push_back(*next);
    }
    page.end_of_log = next == stored_.end();
    page.memory = std::move(memory);
    return page;
  }

  absl::StatusOr<uint64_t> FindTime(absl::Time time) override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!read_failure_.ok()) return read_failure_;
    for (const auto& stored : stored_) {
      if (stored->ingested >= time) return stored->sequence - 1;
    }
    return info_.head;
  }

  absl::StatusOr<uint64_t> FindHead() override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    if (!read_failure_.ok()) return read_failure_;
    return info_.head;
  }

  LogInfo Info() const override ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    return info_;
  }

  void Watch(std::function<void(uint64_t head)> on_head) override { WatchFor(this, std::move(on_head)); }
  void Unwatch() override { UnwatchFor(this); }

  // The same for one replica of several, whoever it is.
  void WatchFor(const void* who, std::function<void(uint64_t head)> on_head) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    watchers_[who] = std::move(on_head);
  }
  void UnwatchFor(const void* who) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    watchers_.erase(who);
    mutex_.Await(absl::Condition(
        +[](FakeEventLog* self) ABSL_EXCLUSIVE_LOCKS_REQUIRED(self->mutex_) { return !self->delivering_; }, this));
  }

 private:
  struct Waiting {
    NewEvent event;
    AppendCallback done;
  };

  struct Stored {
    uint64_t sequence;
    absl::Time ingested;
    NewEvent event;
  };

  struct Settled {
    AppendCallback done;
    absl::StatusOr<Appended> result;
    uint64_t new_head;  // 0 when nothing was stored
  };

  static LoggedEvent View(const Stored& stored, bool raw_body) {
    const NewEvent& event = stored.event;
    LoggedEvent view;
    view.sequence = stored.sequence;
    view.ingested = stored.ingested;
    view.attributes.account = event.account;
    view.attributes.session_id = event.session_id;
    view.attributes.peer = event.peer;
    view.attributes.message_id = event.message_id;
    view.attributes.type = event.type;
    view.attributes.status = event.status;
    view.attributes.test = event.test;
    view.delivery_id = event.delivery_id;
    view.event = event.event;
    if (raw_body) view.raw_body = event.raw_body;
    return view;
  }

  // Decides what becomes of an append and queues its callback.
  void Settle(Waiting waiting) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (failing_appends_ > 0) {
      if (failing_appends_ != kUnlimited) --failing_appends_;
      settled_.push_back({std::move(waiting.done), append_failure_, 0});
      return;
    }
    const std::string delivery_id = waiting.event.delivery_id;
    const auto key = std::make_pair(waiting.event.account, delivery_id);
    if (!delivery_id.empty()) {
      if (auto seen = seen_.find(key); seen != seen_.end()) {
        settled_.push_back({std::move(waiting.done), Appended{seen->second, true}, 0});
        return;
      }
    }
    const uint64_t sequence = next_sequence_++;
    if (clock_ != nullptr) last_ingested_ = std::max(last_ingested_, clock_->Now());
    const absl::Time ingested = absl::FromUnixMillis(absl::ToUnixMillis(last_ingested_));
    stored_.push_back(std::make_shared<Stored>(Stored{sequence, ingested, std::move(waiting.event)}));
    if (!delivery_id.empty()) seen_.emplace(key, sequence);
    info_.head = sequence;
    info_.earliest = stored_.front()->sequence;
    settled_.push_back({std::move(waiting.done), Appended{sequence, false}, sequence});
  }

  // Runs what is settled, outside the lock and in order: one thread at a time does it for all.
  void Deliver() ABSL_LOCKS_EXCLUDED(mutex_) {
    mutex_.Lock();
    while (!delivering_ && !settled_.empty()) {
      delivering_ = true;
      Settled next = std::move(settled_.front());
      settled_.pop_front();
      const auto watchers = watchers_;
      mutex_.Unlock();
      if (next.done) std::move(next.done)(std::move(next.result));
      for (const auto& [who, on_head] : watchers) {
        if (next.new_head != 0) on_head(next.new_head);
      }
      mutex_.Lock();
      delivering_ = false;
    }
    mutex_.Unlock();
  }

  const Clock* const clock_;
  mutable absl::Mutex mutex_;
  bool hold_ ABSL_GUARDED_BY(mutex_) = false;
  bool delivering_ ABSL_GUARDED_BY(mutex_) = false;
  std::deque<Waiting> held_ ABSL_GUARDED_BY(mutex_);
  std::deque<Settled> settled_ ABSL_GUARDED_BY(mutex_);
  std::deque<std::shared_ptr<const Stored>> stored_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, uint64_t> seen_ ABSL_GUARDED_BY(mutex_);
  std::map<const void*, std::function<void(uint64_t)>> watchers_ ABSL_GUARDED_BY(mutex_);
  LogInfo info_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_sequence_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::Time last_ingested_ ABSL_GUARDED_BY(mutex_) = absl::FromUnixSeconds(1'780'000'000);
  absl::Status append_failure_ ABSL_GUARDED_BY(mutex_);
  size_t failing_appends_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status read_failure_ ABSL_GUARDED_BY(mutex_);
  size_t reads_ ABSL_GUARDED_BY(mutex_) = 0;
};

// One replica's view of a log that others have, too. Thread-safe.
class ReplicaEventLog final : public EventLog {
 public:
  explicit ReplicaEventLog(FakeEventLog& log) : log_(log) {}

  void Append(NewEvent event, AppendCallback done) override { log_.Append(std::move(event), std::move(done)); }
  absl::StatusOr<EventPage> Read(uint64_t after, const ReadLimits& limits) override { return log_.Read(after, limits); }
  absl::StatusOr<uint64_t> FindTime(absl::Time time) override { return log_.FindTime(time); }
  absl::StatusOr<uint64_t> FindHead() override { return log_.FindHead(); }
  LogInfo Info() const override { return log_.Info(); }
  void Watch(std::function<void(uint64_t head)> on_head) override { log_.WatchFor(this, std::move(on_head)); }
  void Unwatch() override { log_.UnwatchFor(this); }

 private:
  FakeEventLog& log_;
};

}  // namespace aulm::gateway
