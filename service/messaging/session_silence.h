#pragma once

#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace aulm::gateway {

// For how long each session has taken sends without telling a status of any: what a session does that says connected
// and is not. Thread-safe.
class SessionSilence {
 public:
  // Fewer sends than this say nothing: a single message can be slow.
  static constexpr int kFewestSends = 3;

  // aulm took a live send at `time`. Simulated ones do not count: nothing is behind them.
  void NoteSent(absl::string_view account, absl::string_view session_id, absl::Time time);

  // aulm told a status of the session, of whatever message.
  void NoteStatus(absl::string_view account, absl::string_view session_id);

  // When the first send was made that no status followed; nullopt while there are fewer than kFewestSends of them.
  std::optional<absl::Time> Since(absl::string_view account, absl::string_view session_id) const;

 private:
  struct Unanswered {
    int sends = 0;
    absl::Time first;
  };

  mutable absl::Mutex mutex_;
  absl::flat_hash_map<std::string, Unanswered> sessions_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
