#include "service/storage/jetstream/jetstream_store.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/base/log.h"
#include "service/storage/jetstream/jetstream_api.h"
#include "service/storage/jetstream/store_layout.h"
#include "service/storage/jetstream/stream_setup.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kConnectLimit = absl::Seconds(15);
constexpr absl::Duration kSetupLimit = absl::Seconds(15);
constexpr absl::Duration kTick = absl::Milliseconds(50);
constexpr absl::Duration kStateTryTimeout = absl::Milliseconds(1500);
// What the stream's server promises by its acknowledgement, said once at the start.
void WarnOfDurability(const StreamInfo& info, bool synced) {
  const int64_t copies = CopiesOf(info);
  if (copies < 3) {
    LogLine(LogLevel::kWarn, "store_has_few_copies")
        .Field("copies", copies)
        .Field("message", "the log survives no lost server; make a cluster of three, and store.nats.replicas 3");
  }
  if (synced) return;
  // Servers tell of compression since 2.10, and that is since when sync_interval can be "always".
  const bool can_sync = info.config.if_contains("compression") != nullptr;
  LogLine(LogLevel::kWarn, "store_acknowledges_before_fsync")
      .Field("message",
             can_sync
                 ? "unless the NATS servers have sync_interval: always, a power cut of all of them at once can take "
                   "acknowledged events; set store.nats.synced once they have"
                 : "NATS servers before 2.10 write to the disk every two minutes: a power cut of all of them at "
                   "once can take acknowledged events");
}

}  // namespace

absl::StatusOr<std::unique_ptr<JetStreamStore>> JetStreamStore::Open(const StoreOptions& options, Clock& clock,
                                                                     Random& random, prometheus::Registry& registry) {
  std::unique_ptr<JetStreamStore> store(new JetStreamStore(options, clock, registry));
  if (absl::Status failed = store->Connect(random); !failed.ok()) return failed;
  if (absl::Status failed = store->OpenStreams(random); !failed.ok()) return failed;
  return store;
}

JetStreamStore::JetStreamStore(const StoreOptions& options, Clock& clock, prometheus::Registry& registry)
    : options_(options), clock_(clock), metrics_(registry) {}

absl::Status JetStreamStore::Connect(Random& random) {
  NatsConnection::Listeners listeners;
  listeners.on_connected = [this] {
    LogLine(LogLevel::kInfo, "nats_connected");
    NoteConnection(absl::OkStatus());
    peers_->OnConnection(true);
    log_->OnConnected();
  };
  listeners.on_disconnected = [this](const std::string& why) {
    LogLine(LogLevel::kWarn, "nats_disconnected").Field("message", why);
    NoteConnection(absl::UnavailableError(absl::StrCat("no connection to NATS: ", why)));
    requests_->FailAll("the connection broke");
    state_requests_->FailAll(absl::UnavailableError("nats: the connection broke"));
    peers_->OnConnection(false);
    log_->OnDisconnected();
  };
  listeners.on_closed = options_.on_fatal ? options_.on_fatal : [](const absl::Status&) {};
  auto connection = NatsConnection::Connect(options_.nats.servers, kConnectLimit, random, std::move(listeners));
  if (!connection.ok()) return connection.status();
  connection_ = *std::move(connection);
  if (absl::Status bad = CheckMaxPayload(connection_->max_payload(), options_.max_body_bytes); !bad.ok()) return bad;
  auto requests = NatsRequests::Create(*connection_, clock_);
  if (!requests.ok()) return requests.status();
  requests_ = *std::move(requests);
  api_ = std::make_unique<JetStreamApi>(*requests_);
  return absl::OkStatus();
}

absl::Status JetStreamStore::OpenStreams(Random& random) {
  const StreamDefinition events = EventsStream(options_);
  const StreamDefinition deliveries = DeliveriesStream(options_);
  const absl::StatusOr<StreamInfo> info = OpenStream(*api_, events, kSetupLimit);
  if (!info.ok()) return info.status();
  if (!OriginOf(*info).complete) {
    return absl::FailedPreconditionError(
        absl::StrCat("the NATS stream ", events.name,
                     " is the copy of another store, and not finished: run aulm-gateway store copy again"));
  }
  const absl::StatusOr<StreamInfo> marks = OpenStream(*api_, deliveries, kSetupLimit);
  if (!marks.ok()) return marks.status();
  state_thread_ = std::make_unique<TaskThread>(clock_);
  buckets_ =
      std::make_unique<StateBuckets>(*api_, *state_thread_, clock_, options_.nats.prefix, options_.nats.replicas);
  if (absl::Status bad = buckets_->CheckAll(); !bad.ok()) return bad;
  state_requests_ = std::make_unique<StateRequests>(*connection_, *state_thread_, clock_, kStateTryTimeout);
  state_ = std::make_unique<JetStreamStateStore>(*buckets_, *api_, *state_requests_, *state_thread_, clock_, random,
                                                 metrics_, options_.max_open_state_calls);
  peers_ =
      std::make_unique<NatsPeerChannel>(options_.nats.prefix, random.Uuid(), *connection_, *requests_, *state_thread_);
  sweeper_ =
      std::make_unique<StateSweeper>(*state_, *buckets_, *api_, *state_thread_, clock_, std::string(peers_->Self()));
  WarnOfDurability(*info, options_.nats.synced);
  JetStreamEventLog::Options log;
  log.prefix = options_.nats.prefix;
  log.events = events;
  log.deliveries = deliveries;
  log.max_appends = options_.max_queued_appends;
  log.max_bytes = options_.max_queued_bytes;
  log_ = std::make_unique<JetStreamEventLog>(
      log, *connection_, *api_, clock_, random, metrics_, *info,
      JetStreamEventLog::Listeners{[this](const absl::Status& status) { NoteLog(status); },
                                   options_.on_fatal ? options_.on_fatal : [](const absl::Status&) {}});
  if (absl::Status failed = log_->Start(); !failed.ok()) return failed;
  connection_->StartTelling();
  if (!connection_->connected()) NoteConnection(absl::UnavailableError("no connection to NATS"));
  ticks_ = std::make_unique<WakeTimer>(clock_, [this] {
    state_requests_->Tick();
    state_thread_->Post([this] {
      state_->Tick();
      sweeper_->Tick();
      if (ticks_ != nullptr) ticks_->Schedule(kTick);
    });
  });
  ticks_->Schedule(kTick);
  return absl::OkStatus();
}

JetStreamStore::~JetStreamStore() {
  if (log_ != nullptr) {
    log_->Drain();
    state_->Drain();
    connection_->StopTelling();
    peers_->Stop();
    log_->Stop();
    state_requests_->Stop();
    state_thread_->Post([this] {
      ticks_.reset();
      sweeper_->Stop();
    });
    state_thread_->Flush();
  }
  // What is in flight is failed on threads that are still there; then the threads end, and then what they ran on.
  requests_.reset();
  if (connection_ != nullptr) connection_->loop().Flush();
  if (buckets_ != nullptr) buckets_->Stop();
  state_thread_.reset();
}

absl::Status JetStreamStore::FullCheck() {
  ReadLimits limits;
  limits.raw_body = true;
  uint64_t after = log_->Info().earliest - 1;
  absl::Time newest = absl::InfinitePast();
  while (true) {
    const absl::StatusOr<EventPage> page = log_->Read(after, limits);
    if (!page.ok()) return page.status();
    for (const LoggedEvent& event : page->events) {
      const bool expired = event.sequence != after + 1 && after + 1 < log_->Info().earliest;
      if (event.sequence != after + 1 && !expired) {
        return absl::DataLossError(absl::StrCat("store: events are missing before ", event.sequence));
      }
      if (event.ingested < newest) {
        return absl::DataLossError(absl::StrCat("store: event ", event.sequence, " is older than the one before"));
      }
      newest = event.ingested;
      after = event.sequence;
    }
    if (page->end_of_log) return absl::OkStatus();
  }
}

void JetStreamStore::NoteConnection(const absl::Status& status) {
  absl::MutexLock lock(&health_mutex_);
  connection_state_ = status;
  TellHealth();
}

void JetStreamStore::NoteLog(const absl::Status& status) {
  absl::MutexLock lock(&health_mutex_);
  log_state_ = status;
  TellHealth();
}

void JetStreamStore::TellHealth() {
  const absl::Status& now = connection_state_.ok() ? log_state_ : connection_state_;
  if (now == told_) return;
  told_ = now;
  if (options_.on_health) options_.on_health(now);
}

}  // namespace aulm::gateway
