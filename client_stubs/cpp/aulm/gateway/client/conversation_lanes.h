#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/event.pb.h"

namespace aulm::gateway::client {

// Runs handlers on threads of its own, up to a bound at the same time, and one after the other within a conversation.
// Of the tasks whose conversation is in no handler the oldest goes first: a single thread keeps the order of the log.
// The first failure ends it. Behind EventSubscriber and SharedConsumer. Thread-safe.
class ConversationLanes {
 public:
  struct Task {
    std::string conversation;
    std::function<absl::Status()> run;
    std::function<void()> drop;  // called in place of run where no handler is started any more; may be null
  };

  // Starts `concurrency` threads (at least 1). At most `most_waiting` tasks wait.
  ConversationLanes(int concurrency, size_t most_waiting);
  ConversationLanes(const ConversationLanes&) = delete;
  ConversationLanes& operator=(const ConversationLanes&) = delete;
  ~ConversationLanes();

  // Has a task run after those of its conversation. Blocks while too many wait; drops it once closed.
  void Submit(Task task);

  // Starts no further handler, and drops what waits. Does not wait for those that run.
  void Close();

  // Closes, waits until the running handlers have ended, and returns the first failure.
  absl::Status Join();

  // True after Close or a failure.
  bool closed() const;

 private:
  void Work();
  bool RoomOrClosed() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closed_ || waiting_ < most_waiting_; }
  bool ReadyOrClosed() const ABSL_SHARED_LOCKS_REQUIRED(mu_) { return closed_ || !ready_.empty(); }

  const size_t most_waiting_;
  std::vector<std::thread> threads_;

  mutable absl::Mutex mu_;
  uint64_t next_ ABSL_GUARDED_BY(mu_) = 0;
  size_t waiting_ ABSL_GUARDED_BY(mu_) = 0;
  struct Numbered {
    uint64_t number;
    Task task;
  };
  // Those with a task that waits or runs.
  absl::flat_hash_map<std::string, std::deque<Numbered>> lanes_ ABSL_GUARDED_BY(mu_);
  // The oldest task's number of each conversation that is in no handler, and the conversation.
  std::map<uint64_t, std::string> ready_ ABSL_GUARDED_BY(mu_);
  bool closed_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
};

// An event's account, session and other side, which is empty where there is none, as one key.
std::string ConversationOf(const v1::Event& event);

}  // namespace aulm::gateway::client
