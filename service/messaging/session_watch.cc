#include "service/messaging/session_watch.h"

#include <algorithm>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "aulm/gateway/v1/event.pb.h"
#include "google/protobuf/util/time_util.h"
#include "service/base/log.h"
#include "service/base/status_details.h"
#include "service/base/text.h"
#include "service/base/vocabulary.h"

namespace aulm::gateway {
namespace {

using google::protobuf::util::TimeUtil;

constexpr char kBucket[] = "sessions";
constexpr char kEventName[] = "session_state";
constexpr absl::Duration kPollLimit = absl::Seconds(10);
// The first polls are spread over this, or over an interval that is shorter.
constexpr absl::Duration kFirstPolls = absl::Seconds(5);

std::string KeyOf(absl::string_view account, absl::string_view session_id) {
  return absl::StrCat(account, "/", absl::AsciiStrToLower(session_id));
}

prometheus::Counter& Polls(prometheus::Registry& registry, const char* result) {
  return prometheus::BuildCounter()
      .Name("aulm_session_polls_total")
      .Help("Reads of sessions' states in the background, by result.")
      .Register(registry)
      .Add({{"result", result}});
}

prometheus::Family<prometheus::Gauge>& Gauges(prometheus::Registry& registry, const char* name, const char* help) {
  return prometheus::BuildGauge().Name(name).Help(help).Register(registry);
}

// The first status of the session after `after`, or how far the log was read without one.
struct Search {
  bool found = false;
  uint64_t looked_up_to = 0;
};
absl::StatusOr<Search> SearchStatus(EventLog& log, uint64_t after, absl::string_view account,
                                    absl::string_view session_id) {
  Search search{false, after};
  while (true) {
    const absl::StatusOr<EventPage> page = log.Read(search.looked_up_to, ReadLimits{});
    if (!page.ok()) return page.status();
    for (const LoggedEvent& event : page->events) {
      const EventAttributes& about = event.attributes;
      search.looked_up_to = event.sequence;
      search.found = about.type == v1::EVENT_TYPE_MESSAGE_STATUS && !about.test && about.account == account &&
                     absl::AsciiStrToLower(about.session_id) == session_id;
      if (search.found) return search;
    }
    if (page->events.empty() || page->end_of_log) return search;
  }
}

NewEvent ToEvent(const std::string& account, const std::string& session_id, const state::v1::SessionRecord& record) {
  v1::Event event;
  event.set_account(account);
  event.set_session_id(session_id);
  event.set_type(v1::EVENT_TYPE_SESSION_STATE);
  event.set_event_name(kEventName);
  event.set_delivery_id(absl::StrCat(kEventName, "/", session_id, "/", record.changes()));
  v1::Session& session = *event.mutable_session_state()->mutable_session();
  session.set_session_id(session_id);
  session.set_state(SessionStateOf(record.aulm_state()));
  session.set_aulm_state(record.aulm_state());
  session.set_suspect(record.suspect());
  *session.mutable_observed_time() = TimeUtil::MillisecondsToTimestamp(record.observed_ms());
  NewEvent made;
  made.account = account;
  made.session_id = session_id;
  made.type = event.type();
  made.delivery_id = event.delivery_id();
  made.event = event.SerializeAsString();
  return made;
}

}  // namespace

std::shared_ptr<SessionWatch> SessionWatch::Create(Environment environment, std::vector<Session> sessions,
                                                   prometheus::Registry& registry) {
  return std::shared_ptr<SessionWatch>(new SessionWatch(std::move(environment), std::move(sessions), registry));
}

SessionWatch::SessionWatch(Environment environment, std::vector<Session> sessions, prometheus::Registry& registry)
    : environment_(std::move(environment)), polls_ok_(Polls(registry, "ok")), polls_failed_(Polls(registry, "error")) {
  auto& connected = Gauges(registry, "aulm_session_connected", "1 while the session says connected, else 0.");
  auto& suspect = Gauges(registry, "aulm_session_suspect",
                         "1 while the session says connected and yet tells no status of what it sends.");
  for (Session& session : sessions) {
    const std::string account = session.client->account();
    const prometheus::Labels labels = {{"account", account}, {"session_id", session.session_id}};
    auto watched = std::make_unique<Watched>();
    watched->connected = &connected.Add(labels);
    watched->suspect = &suspect.Add(labels);
    watched->settings = std::move(session);
    std::string key = KeyOf(account, watched->settings.session_id);
    sessions_.emplace(std::move(key), std::move(watched));
  }
}

void SessionWatch::Start() {
  for (auto& [key, watched] : sessions_) {
    PollLater(*watched, environment_.random.Uniform() * std::min(kFirstPolls, watched->settings.poll_interval));
  }
}

void SessionWatch::Stop() {
  absl::MutexLock lock(&mutex_);
  stopped_ = true;
}

bool SessionWatch::suspect(absl::string_view account, absl::string_view session_id) const {
  const auto watched = sessions_.find(KeyOf(account, session_id));
  if (watched == sessions_.end()) return false;
  absl::MutexLock lock(&mutex_);
  return watched->second->record.suspect();
}

std::vector<SessionWatch::State> SessionWatch::States() const {
  std::vector<State> states;
  absl::MutexLock lock(&mutex_);
  for (const auto& [key, watched] : sessions_) {
    State& state = states.emplace_back();
    state.account = watched->settings.client->account();
    state.session_id = watched->settings.session_id;
    state.aulm_state = watched->record.aulm_state();
    state.suspect = watched->record.suspect();
    if (watched->record.observed_ms() != 0) state.observed = absl::FromUnixMillis(watched->record.observed_ms());
    state.failing_because = watched->failing_because;
  }
  return states;
}

void SessionWatch::PollLater(Watched& watched, absl::Duration delay) {
  environment_.clock.CallAfter(delay, [weak = weak_from_this(), &watched] {
    if (const auto self = weak.lock()) self->Poll(watched);
  });
}

void SessionWatch::Poll(Watched& watched) {
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
  }
  const Session& session = watched.settings;
  PollLater(watched, (0.8 + 0.4 * environment_.random.Uniform()) * session.poll_interval);
  if (!environment_.lease.held()) return Refresh(watched);
  // A key that aulm refuses is let through once in five minutes, by the client's gate. What comes of the read is noted
  // by the reader's observer.
  environment_.reader.Read(
      *session.client, session.session_id, environment_.clock.Now() + kPollLimit, "",
      [self = shared_from_this(), &watched](const absl::StatusOr<SessionReader::Reading>& reading) {
        self->CountPoll(watched, reading.status());
      });
}

void SessionWatch::CountPoll(Watched& watched, const absl::Status& result) {
  (result.ok() ? polls_ok_ : polls_failed_).Increment();
  const std::string reason = result.ok() ? "" : ReasonOf(result);
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(watched.failing_because, reason) == reason || stopped_) return;
  }
  // Said once, not at every poll: a session that aulm does not know stays unknown.
  LogLine(result.ok() ? LogLevel::kInfo : LogLevel::kWarn, result.ok() ? "session_read_again" : "session_not_read")
      .Field("account", watched.settings.client->account())
      .Field("session_id", watched.settings.session_id)
      .Field("reason", reason);
}

void SessionWatch::Refresh(Watched& watched) {
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(watched.busy, true)) return;
  }
  watched.known = false;
  environment_.store.Get(kBucket, KeyOf(watched.settings.client->account(), watched.settings.session_id),
                         [self = shared_from_this(), &watched](absl::StatusOr<std::optional<StateEntry>> entry) {
                           Record record;
                           if (entry.ok() && entry->has_value() && record.ParseFromString((*entry)->value)) {
                             self->Adopt(watched, std::move(record), (*entry)->revision);
                           }
                           self->End(watched);
                         });
}

void SessionWatch::Note(absl::string_view account, absl::string_view session_id,
                        const SessionReader::Reading& reading) {
  const auto found = sessions_.find(KeyOf(account, session_id));
  if (found == sessions_.end() || !environment_.lease.held()) return;
  Watched& watched = *found->second;
  {
    absl::MutexLock lock(&mutex_);
    if (stopped_) return;
    if (std::exchange(watched.busy, true)) {
      watched.waiting = reading;
      return;
    }
  }
  Begin(watched, reading);
}

void SessionWatch::Begin(Watched& watched, SessionReader::Reading reading) {
  if (watched.known) return Judge(watched, std::move(reading));
  environment_.store.Get(kBucket, KeyOf(watched.settings.client->account(), watched.settings.session_id),
                         [self = shared_from_this(), &watched,
                          reading = std::move(reading)](absl::StatusOr<std::optional<StateEntry>> entry) mutable {
                           self->OnRecord(watched, std::move(reading), std::move(entry));
                         });
}

void SessionWatch::OnRecord(Watched& watched, SessionReader::Reading reading,
                            absl::StatusOr<std::optional<StateEntry>> entry) {
  Record record;
  if (!entry.ok()) return End(watched);
  const std::optional<StateEntry> found = *std::move(entry);
  if (found.has_value() && !record.ParseFromString(found->value)) return End(watched);
  const bool is_new = !found.has_value();
  if (is_new) record.set_announced(true);  // nobody is told of the first state: it is no change
  Adopt(watched, record, found.has_value() ? found->revision : 0);
  watched.known = true;
  if (!is_new) return Judge(watched, std::move(reading));
  record.set_aulm_state(RepairUtf8(reading.status.status));
  record.set_observed_ms(absl::ToUnixMillis(reading.observed));
  Write(watched, std::move(record), [self = shared_from_this(), &watched] { self->End(watched); });
}

void SessionWatch::Judge(Watched& watched, SessionReader::Reading reading) {
  const Session& session = watched.settings;
  const bool connected = SessionStateOf(reading.status.status) == v1::SESSION_STATE_CONNECTED;
  if (!connected || session.suspect_after == absl::ZeroDuration()) return Compare(watched, reading, std::nullopt);
  if (watched.record.suspect()) {
    return LookForStatuses(watched, std::move(reading), absl::FromUnixMillis(watched.record.silent_since_ms()));
  }
  const auto since = environment_.silence.Since(session.client->account(), session.session_id);
  if (!since.has_value() || reading.observed - *since < session.suspect_after) {
    return Compare(watched, reading, std::nullopt);
  }
  watched.looked_up_to = 0;
  LookForStatuses(watched, std::move(reading), *since);
}

void SessionWatch::LookForStatuses(Watched& watched, SessionReader::Reading reading, absl::Time silent_since) {
  // The webhooks may come in at another replica: the log is the truth.
  environment_.run([self = shared_from_this(), &watched, reading = std::move(reading), silent_since]() mutable {
    EventLog& log = self->environment_.log;
    const Session& session = watched.settings;
    const absl::StatusOr<uint64_t> after =
        watched.looked_up_to != 0 ? absl::StatusOr<uint64_t>(watched.looked_up_to) : log.FindTime(silent_since);
    if (!after.ok()) return self->End(watched);
    const absl::StatusOr<Search> search = SearchStatus(log, *after, session.client->account(), session.session_id);
    if (!search.ok()) return self->End(watched);
    watched.looked_up_to = search->looked_up_to;
    if (search->found) self->environment_.silence.NoteStatus(session.client->account(), session.session_id);
    self->Compare(watched, reading, search->found ? std::nullopt : std::optional<absl::Time>(silent_since));
  });
}

void SessionWatch::Compare(Watched& watched, const SessionReader::Reading& reading,
                           std::optional<absl::Time> silent_since) {
  const std::string state = RepairUtf8(reading.status.status);
  const bool suspect = silent_since.has_value();
  const auto announce = [self = shared_from_this(), &watched] { self->Announce(watched); };
  if (watched.record.aulm_state() == state && watched.record.suspect() == suspect) {
    return watched.record.announced() ? End(watched) : announce();
  }
  if (!watched.record.announced()) return announce();  // first the event of the change before; the next poll goes on
  Record next;
  next.set_aulm_state(state);
  next.set_suspect(suspect);
  if (suspect) next.set_silent_since_ms(absl::ToUnixMillis(*silent_since));
  next.set_changes(watched.record.changes() + 1);
  next.set_observed_ms(absl::ToUnixMillis(reading.observed));
  LogLine(suspect || state != "connected" ? LogLevel::kWarn : LogLevel::kInfo, "session_changed")
      .Field("account", watched.settings.client->account())
      .Field("session_id", watched.settings.session_id)
      .Field("state", state)
      .Field("suspect", suspect);
  Write(watched, std::move(next), announce);
}

void SessionWatch::Write(Watched& watched, Record next, absl::AnyInvocable<void() &&> then) {
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, KeyOf(watched.settings.client->account(), watched.settings.session_id),
                    next.SerializeAsString(), watched.revision});
  environment_.store.Write(std::move(writes), StateStore::Durability::kDurable,
                           [self = shared_from_this(), &watched, next = std::move(next),
                            then = std::move(then)](const std::vector<absl::StatusOr<uint64_t>>& results) mutable {
                             if (!results.front().ok()) {
                               watched.known =
                                   false;  // another replica wrote it, or the store fails: look again next time
                               return self->End(watched);
                             }
                             self->Adopt(watched, std::move(next), *results.front());
                             std::move(then)();
                           });
}

void SessionWatch::Announce(Watched& watched) {
  NewEvent event = ToEvent(watched.settings.client->account(), watched.settings.session_id, watched.record);
  environment_.log.Append(std::move(event),
                          [self = shared_from_this(), &watched](const absl::StatusOr<Appended>& appended) {
                            if (!appended.ok()) return self->End(watched);  // the next reading tries again
                            Record told = watched.record;
                            told.set_announced(true);
                            self->Write(watched, std::move(told), [self, &watched] { self->End(watched); });
                          });
}

void SessionWatch::End(Watched& watched) {
  std::optional<SessionReader::Reading> next;
  {
    absl::MutexLock lock(&mutex_);
    next = std::exchange(watched.waiting, std::nullopt);
    if (stopped_) next.reset();
    watched.busy = next.has_value();
  }
  if (next.has_value()) Begin(watched, *std::move(next));
}

void SessionWatch::Adopt(Watched& watched, Record record, uint64_t revision) {
  watched.connected->Set(SessionStateOf(record.aulm_state()) == v1::SESSION_STATE_CONNECTED ? 1 : 0);
  watched.suspect->Set(record.suspect() ? 1 : 0);
  absl::MutexLock lock(&mutex_);
  watched.record = std::move(record);
  watched.revision = revision;
}

}  // namespace aulm::gateway
