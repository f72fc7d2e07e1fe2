#pragma once

#include <cstddef>
#include <cstdint>
#include <list>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// Who wrote to which session when, so that an answer to them can pass in the reply lane. Kept in memory, for the most
// recent conversations alone: one that was forgotten is paced as a cold send, which is the safe side. Told by the log,
// so that it does not matter which replica a message came in through. Thread-safe.
class RecentPeers {
 public:
  // `capacity`: conversations; one costs about 80 bytes.
  explicit RecentPeers(size_t capacity = 200'000) : capacity_(capacity) {}

  // `peer` wrote to the session.
  void Note(absl::string_view account, absl::string_view session_id, absl::string_view peer, absl::Time time);

  // The senders of the inbound messages among them wrote.
  void Note(const EventPage& page);

  // Notes the senders of every inbound message in the log since `since`, as after a start. Blocks on the log. An error
  // of the log ends it early: who was not noted is paced as a stranger.
  void Refill(EventLog& log, absl::Time since);

  // True when `peer` wrote to the session at or after `since`.
  bool WroteSince(absl::string_view account, absl::string_view session_id, absl::string_view peer,
                  absl::Time since) const;

 private:
  struct Entry {
    uint64_t conversation;
    absl::Time time;
  };

  const size_t capacity_;
  mutable absl::Mutex mutex_;
  std::list<Entry> by_age_ ABSL_GUARDED_BY(mutex_);  // the newest first
  absl::flat_hash_map<uint64_t, std::list<Entry>::iterator> by_conversation_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
