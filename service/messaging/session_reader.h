#pragma once

#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/aulm/aulm_client.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// Reads sessions' states from aulm, for callers and for the session watch alike: reads of one session that come
// together are one request, and one that was made a moment ago answers again. Thread-safe; never blocks.
class SessionReader : public std::enable_shared_from_this<SessionReader> {
 public:
  // A state, and when it was read.
  struct Reading {
    SessionStatus status;
    absl::Time observed;
  };
  // Called once: inside the call, or on a thread of aulm's transport or the clock's.
  using Done = absl::AnyInvocable<void(const absl::StatusOr<Reading>&) &&>;
  // Told of every state that aulm answered, before whoever asked.
  using Observer = std::function<void(absl::string_view account, absl::string_view session_id, const Reading&)>;

  // A reading younger than `max_age` is not made again. The clock outlives the reader.
  static std::shared_ptr<SessionReader> Create(absl::Duration max_age, Clock& clock);

  // Before the first read.
  void Observe(Observer observer) { observer_ = std::move(observer); }

  // Errors: as AulmClient::GetSessionStatus; CALL_DEADLINE at `answer_by`. The request to aulm carries the traceparent
  // of whoever came first.
  void Read(AulmClient& client, absl::string_view session_id, absl::Time answer_by, absl::string_view traceparent,
            Done done) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  struct Waiter {
    uint64_t id;
    absl::Time answer_by;
    Done done;
    Clock::TimerId timer = 0;
  };
  struct Session {
    std::optional<Reading> last;
    bool under_way = false;
    std::list<Waiter> waiters;
  };

  SessionReader(absl::Duration max_age, Clock& clock) : max_age_(max_age), clock_(clock) {}

  void Ask(AulmClient& client, const std::string& session_id, absl::Time answer_by, absl::string_view traceparent);
  void OnRead(AulmClient& client, const std::string& session_id, const absl::StatusOr<SessionStatus>& status)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void GiveUp(const std::string& key, uint64_t waiter) ABSL_LOCKS_EXCLUDED(mutex_);

  const absl::Duration max_age_;
  Clock& clock_;
  Observer observer_;

  absl::Mutex mutex_;
  // By account and session; those without waiters are dropped when they are many.
  absl::flat_hash_map<std::string, Session> sessions_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_waiter_ ABSL_GUARDED_BY(mutex_) = 1;
};

}  // namespace aulm::gateway
