#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// An event as the writer committed it.
struct CommittedEvent {
  uint64_t sequence = 0;
  int64_t ingested_ms = 0;
  std::string record;  // EncodeEventRecord
};

// The newest events, as they were committed, for who follows the log: reading them back from the database would cost a
// lone webhook as much as a third of its commit. Thread-safe.
class CommittedEvents {
 public:
  // About so many are kept, and at most 2 MiB of them; always those of the last commit, unless it is 0.
  explicit CommittedEvents(size_t most_events) : most_events_(most_events) {}

  // The events of one commit, after those before it and without a gap.
  void Add(std::vector<CommittedEvent> events);

  // The events after `after` as EventLog::Read gives them; nullopt when they are not all here, or when raw bodies are
  // asked for. `earliest` is the oldest event that the log keeps.
  std::optional<EventPage> Read(uint64_t after, uint64_t earliest, const ReadLimits& limits) const;

 private:
  using Commit = std::vector<CommittedEvent>;

  // The commits that hold what stands after `after`; empty when something of it is no longer here.
  std::vector<std::shared_ptr<const Commit>> CommitsAfter(uint64_t after) const;

  const size_t most_events_;
  mutable absl::Mutex mutex_;
  std::deque<std::shared_ptr<const Commit>> commits_ ABSL_GUARDED_BY(mutex_);
  size_t events_ ABSL_GUARDED_BY(mutex_) = 0;
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace aulm::gateway
