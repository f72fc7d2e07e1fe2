#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/functional/any_invocable.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "aulm/gateway/state/v1/session_record.pb.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "service/aulm/aulm_client.h"
#include "service/base/clock.h"
#include "service/base/random.h"
#include "service/messaging/lease.h"
#include "service/messaging/session_reader.h"
#include "service/messaging/session_silence.h"
#include "service/storage/event_log.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// Watches the sessions that the configuration lists: reads each one's state from time to time, and puts an event into
// the log when it changed, or when a session that says connected tells no status of what it sends any more ("suspect").
// What callers read counts as well. Of several replicas, the one with the lease does it; all know what it found.
// Thread-safe; never blocks.
//
// A change is written down before its event is appended, and the event's delivery id counts the changes: a crash in
// between loses no event and makes none twice.
class SessionWatch : public std::enable_shared_from_this<SessionWatch> {
 public:
  // One session to watch. Lives as long as the watch.
  struct Session {
    AulmClient* client = nullptr;
    std::string session_id;        // lower case
    absl::Duration poll_interval;  // give or take a fifth
    absl::Duration suspect_after;  // zero: never suspect
  };

  // What the watch works with. All but `run` outlive it.
  struct Environment {
    SessionReader& reader;
    SessionSilence& silence;
    Lease& lease;
    EventLog& log;
    StateStore& store;
    Clock& clock;
    Random& random;
    std::function<void(absl::AnyInvocable<void() &&>)> run;  // on a thread that may block: the log is read there
  };

  // Adds aulm_session_connected and aulm_session_suspect by account and session, and aulm_session_polls_total{result}.
  static std::shared_ptr<SessionWatch> Create(Environment environment, std::vector<Session> sessions,
                                              prometheus::Registry& registry);

  // Begins to poll.
  void Start();

  // Polls no more, and takes no more notice.
  void Stop() ABSL_LOCKS_EXCLUDED(mutex_);

  // A state that was just read, of any session.
  void Note(absl::string_view account, absl::string_view session_id, const SessionReader::Reading& reading)
      ABSL_LOCKS_EXCLUDED(mutex_);

  // What is known of one session that is watched.
  struct State {
    std::string account;
    std::string session_id;
    std::string aulm_state;  // aulm's own word; empty while nobody has read it
    bool suspect = false;
    std::optional<absl::Time> observed;
    std::string failing_because;  // the reason of the last poll's error; empty when there was none
  };
  // Of every session, in no order.
  std::vector<State> States() const ABSL_LOCKS_EXCLUDED(mutex_);

  // True when the session was found suspect, as far as this replica knows.
  bool suspect(absl::string_view account, absl::string_view session_id) const ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  using Record = aulm::gateway::state::v1::SessionRecord;

  struct Watched {
    Session settings;
    prometheus::Gauge* connected;
    prometheus::Gauge* suspect;
    // The newest reading that waits while an older one is worked on.
    std::optional<SessionReader::Reading> waiting;
    bool busy = false;
    std::string failing_because;  // the reason of the last poll's error; empty when it was none
    // What the store has. Touched by whoever set `busy`; `record` also read under the mutex.
    bool known = false;
    Record record;
    uint64_t revision = 0;
    uint64_t looked_up_to = 0;  // in the log, for statuses since `record.silent_since_ms`
  };

  SessionWatch(Environment environment, std::vector<Session> sessions, prometheus::Registry& registry);

  void PollLater(Watched& watched, absl::Duration delay);
  // What the replica that polls has found.
  void Refresh(Watched& watched) ABSL_LOCKS_EXCLUDED(mutex_);
  void CountPoll(Watched& watched, const absl::Status& result) ABSL_LOCKS_EXCLUDED(mutex_);
  void Poll(Watched& watched) ABSL_LOCKS_EXCLUDED(mutex_);

  // The steps of one reading: what the store has, whether the session is suspect, what changed, its event.
  void Begin(Watched& watched, SessionReader::Reading reading);
  void OnRecord(Watched& watched, SessionReader::Reading reading, absl::StatusOr<std::optional<StateEntry>> entry)
      ABSL_LOCKS_EXCLUDED(mutex_);
  void Judge(Watched& watched, SessionReader::Reading reading);
  void LookForStatuses(Watched& watched, SessionReader::Reading reading, absl::Time silent_since);
  void Compare(Watched& watched, const SessionReader::Reading& reading, std::optional<absl::Time> silent_since);
  void Write(Watched& watched, Record next, absl::AnyInvocable<void() &&> then) ABSL_LOCKS_EXCLUDED(mutex_);
  void Announce(Watched& watched);
  void End(Watched& watched) ABSL_LOCKS_EXCLUDED(mutex_);
  void Adopt(Watched& watched, Record record, uint64_t revision) ABSL_LOCKS_EXCLUDED(mutex_);

  const Environment environment_;
  prometheus::Counter& polls_ok_;
  prometheus::Counter& polls_failed_;
  // By account and session; made at the start, then constant.
  absl::flat_hash_map<std::string, std::unique_ptr<Watched>> sessions_;

  mutable absl::Mutex mutex_;  // of `waiting`, `busy`, `failing_because` and `record` of each
  bool stopped_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace aulm::gateway
