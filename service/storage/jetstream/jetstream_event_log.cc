#include "service/storage/jetstream/jetstream_event_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "service/base/log.h"
#include "service/storage/jetstream/store_layout.h"
#include "xxhash.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr absl::Duration kBetweenLooks = absl::Seconds(1);
constexpr absl::Duration kLookTimeout = absl::Seconds(2);
// A new leader is elected within some seconds. If none is seen for longer, our server may be cut off from the others.
constexpr absl::Duration kWithoutLeader = absl::Seconds(8);
// An election and a repeated publish take less.
constexpr absl::Duration kBetweenReplacements = absl::Seconds(10);
// A tick that comes so late says that we did not run: the leader may have answered meanwhile.
constexpr absl::Duration kLateTick = absl::Seconds(2);
constexpr absl::Duration kDrainStep = absl::Milliseconds(10);

uint64_t EpochOf(const std::string& stream, const StreamInfo& info) {
  const std::string identity = absl::StrCat(stream, " ", info.created);
  const uint64_t hash = XXH3_64bits(identity.data(), identity.size());
  return hash == 0 ? 1 : hash;
}

// Takes events into a page as far as its limits allow; false when one did not fit any more.
bool TakeInto(const FetchedEvents& events, const ReadLimits& limits, size_t& bytes, EventPage& page,
              std::vector<std::shared_ptr<const FetchedEvent>>& memory) {
  for (const std::shared_ptr<const FetchedEvent>& fetched : events) {
    if (!fetched->readable) continue;
    if (page.events.size() >= std::max<size_t>(limits.max_events, 1)) return false;
    LoggedEvent event = fetched->event;
    if (!limits.raw_body) event.raw_body = {};
    const size_t more = event.event.size() + event.raw_body.size();
    if (bytes + more > limits.max_bytes && !page.events.empty()) return false;
    bytes += more;
    page.events.push_back(event);
    memory.push_back(fetched);
  }
  return true;
}

}  // namespace

JetStreamEventLog::JetStreamEventLog(const Options& options, NatsConnection& connection, JetStreamApi& api,
                                     Clock& clock, Random& random, StorageMetrics& metrics, const StreamInfo& info,
                                     Listeners listeners)
    : connection_(connection),
      loop_(connection.loop()),
      clock_(clock),
      api_(api),
      metrics_(metrics),
      stream_(options.events.name),
      created_(info.created),
      reader_(api, options.events.name, [this](const StreamInfo& seen) { NoteInfo(seen); }),
      pipeline_(
          {options.prefix, options.deliveries.name,
           options.deliveries.subject.substr(0, options.deliveries.subject.size() - 2), options.events.duplicate_window,
           options.max_appends, options.max_bytes},
          connection, clock, random, metrics, [this] { return Info().head; }, [this] { return Info().earliest; },
          [this] { ReplaceLeader(); }),
      next_look_(absl::InfinitePast()),
      last_seen_(clock.Now()),
      last_tick_(clock.Now()),
      ticks_(std::make_unique<WakeTimer>(clock, [this] { loop_.Post([this] { Tick(); }); })) {
  {
    absl::MutexLock lock(&mutex_);
    info_ = {EpochOf(options.events.name, info), info.first, info.last, OriginOf(info).epoch};
  }
  follower_ = std::make_unique<LogFollower>(
      connection, api, clock, options.events, info, options.cache_bytes,
      LogFollower::Listeners{[this] { OnHead(); }, [this](const StreamInfo& seen) { NoteInfo(seen); },
                             std::move(listeners.on_state), std::move(listeners.on_lost)});
  NoteInfo(info);
}

JetStreamEventLog::~JetStreamEventLog() = default;

absl::Status JetStreamEventLog::Start() {
  if (absl::Status failed = pipeline_.Start(); !failed.ok()) return failed;
  follower_->Start();
  ticks_->Schedule(kTick);
  return absl::OkStatus();
}

void JetStreamEventLog::OnDisconnected() {
  loop_.Post([this] { pipeline_.OnDisconnected(); });
}

void JetStreamEventLog::OnConnected() {
  loop_.Post([this] {
    last_seen_ = clock_.Now();
    follower_->Restart("the connection was broken");
  });
}

void JetStreamEventLog::Drain() {
  pipeline_.Close();
  while (pipeline_.open() > 0) {
    loop_.Post([this] { pipeline_.Tick(); });  // the clock may have been stopped
    absl::SleepFor(kDrainStep);
  }
}

void JetStreamEventLog::Stop() {
  // On the thread that uses them.
  loop_.Post([this] {
    ticks_.reset();
    follower_->Stop();
    pipeline_.Stop();
  });
  loop_.Flush();
}

void JetStreamEventLog::Append(NewEvent event, AppendCallback done) { pipeline_.Append(event, std::move(done)); }

absl::StatusOr<EventPage> JetStreamEventLog::Read(uint64_t after, const ReadLimits& limits) {
  EventPage page;
  auto memory = std::make_shared<std::vector<std::shared_ptr<const FetchedEvent>>>();
  size_t bytes = 0;
  while (true) {
    // What has expired may still be in memory.
    after = std::max(after, Info().earliest - 1);
    uint64_t start, head;
    const FetchedEvents recent = follower_->After(after, limits.max_events + 1, start, head);
    if (after >= start || after >= head) {
      const bool all_taken = TakeInto(recent, limits, bytes, page, *memory);
      page.end_of_log = all_taken && (recent.empty() || recent.back()->event.sequence == head);
      break;
    }
    const absl::StatusOr<StreamReader::Fetched> fetched =
        reader_.Fetch(after + 1, start, std::max<size_t>(limits.max_events, 1), limits.max_bytes);
    if (!fetched.ok()) return fetched.status();
    const bool all_taken = TakeInto(fetched->events, limits, bytes, page, *memory);
    after = fetched->through;
    page.end_of_log = all_taken && fetched->through >= head;
    // A page of old events ends here; only what held nothing at all goes on.
    if (!page.events.empty()) break;
  }
  page.memory = std::move(memory);
  return page;
}

absl::StatusOr<std::shared_ptr<const FetchedEvent>> JetStreamEventLog::FirstAfter(uint64_t after) {
  while (true) {
    after = std::max(after, Info().earliest - 1);
    uint64_t start, head;
    const FetchedEvents recent = follower_->After(after, 1, start, head);
    if (!recent.empty()) return recent.front();
    if (after >= start || after >= head) return nullptr;
    const absl::StatusOr<StreamReader::Fetched> fetched = reader_.Fetch(after + 1, start, 1, 1);
    if (!fetched.ok()) return fetched.status();
    if (!fetched->events.empty()) return fetched->events.front();
    after = fetched->through;
  }
}

absl::StatusOr<uint64_t> JetStreamEventLog::FindTime(absl::Time time) {
  // Rounded up: an event is in whole milliseconds, and one before `time` must not count.
  const absl::Time wanted = absl::UnixEpoch() + absl::Ceil(time - absl::UnixEpoch(), absl::Milliseconds(1));
  const LogInfo info = Info();
  // Bisected: everything up to `before` is too early, and what comes after `until` is not.
  uint64_t before = info.earliest - 1;
  uint64_t until = info.head;
  while (before < until) {
    const uint64_t middle = before + (until - before) / 2;
    const absl::StatusOr<std::shared_ptr<const FetchedEvent>> event = FirstAfter(middle);
    if (!event.ok()) return event.status();
    if (*event == nullptr || (*event)->event.ingested >= wanted) {
      until = middle;
    } else {
      before = (*event)->event.sequence;
    }
  }
  return before;
}

LogInfo JetStreamEventLog::Info() const {
  absl::MutexLock lock(&mutex_);
  return info_;
}

void JetStreamEventLog::Watch(std::function<void(uint64_t head)> on_head) {
  auto watcher = std::make_shared<const std::function<void(uint64_t)>>(std::move(on_head));
  absl::MutexLock lock(&mutex_);
  watcher_ = std::move(watcher);
}

void JetStreamEventLog::Unwatch() {
  absl::MutexLock lock(&mutex_);
  watcher_ = nullptr;
  // From within the watcher itself there is nothing to wait for but ourselves.
  if (watching_ == std::this_thread::get_id()) return;
  mutex_.Await(absl::Condition(+[](std::thread::id* watching) { return *watching == std::thread::id(); }, &watching_));
}

void JetStreamEventLog::OnHead() {
  // One task for however many events came until it runs.
  if (head_noted_.exchange(false)) loop_.Post([this] { NoteHead(); });
}

void JetStreamEventLog::NoteHead() {
  head_noted_ = true;
  const uint64_t head = follower_->head();
  std::shared_ptr<const std::function<void(uint64_t)>> watcher;
  {
    absl::MutexLock lock(&mutex_);
    if (head <= info_.head) return;
    info_.head = head;
    watcher = watcher_;
    if (watcher != nullptr) watching_ = std::this_thread::get_id();
  }
  if (watcher != nullptr) {
    (*watcher)(head);
    absl::MutexLock lock(&mutex_);
    watching_ = std::thread::id();
  }
  pipeline_.OnHead();
}

void JetStreamEventLog::NoteInfo(const StreamInfo& info) {
  if (info.created != created_) return;  // the follower will find out
  metrics_.SetLog(info.messages, info.bytes);
  metrics_.SetOldestAge(info.messages == 0 ? absl::ZeroDuration() : clock_.Now() - info.first_time);
  absl::MutexLock lock(&mutex_);
  // What retention takes is taken for good; and what is not followed yet does not begin the log.
  const uint64_t earliest = std::min(info.first, info_.head + 1);
  if (earliest > info_.earliest) metrics_.Expired(earliest - info_.earliest);
  info_.earliest = std::max(info_.earliest, earliest);
}

void JetStreamEventLog::ReplaceLeader() {
  const absl::Time now = clock_.Now();
  if (now < next_replacement_) return;
  next_replacement_ = now + kBetweenReplacements;
  LogLine(LogLevel::kWarn, "nats_leader_replaced")
      .Field("message",
             "the leader of the event log's stream holds an event for stored by halves, and takes it no more");
  api_.Call(absl::StrCat("STREAM.LEADER.STEPDOWN.", stream_), {}, kLookTimeout,
            [](const absl::StatusOr<boost::json::object>& answer) {
              if (answer.ok()) return;
              LogLine(LogLevel::kWarn, "nats_leader_stays").Field("message", answer.status().message());
            });
}

void JetStreamEventLog::Tick() {
  follower_->Tick();
  pipeline_.Tick();
  const absl::Time now = clock_.Now();
  if (now - last_tick_ > kLateTick) last_seen_ = now;
  last_tick_ = now;
  if (now >= next_look_ && api_.requests().connected()) {
    next_look_ = now + kBetweenLooks;
    api_.Call(absl::StrCat("STREAM.INFO.", stream_), {}, kLookTimeout,
              [this](const absl::StatusOr<boost::json::object>& answer) {
                if (!answer.ok()) return;
                loop_.Post([this, info = ParseStreamInfo(*answer)] {
                  if (info.in_touch) last_seen_ = clock_.Now();
                  NoteInfo(info);
                });
              });
  }
  if (now - last_seen_ > kWithoutLeader && connection_.connected()) {
    last_seen_ = now;
    LogLine(LogLevel::kWarn, "nats_server_left")
        .Field("message", "it knows no leader of the event log's stream that the others follow");
    connection_.LeaveServer();
  }
  if (ticks_ != nullptr) ticks_->Schedule(kTick);
}

}  // namespace aulm::gateway
