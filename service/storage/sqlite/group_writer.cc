#include "service/storage/sqlite/group_writer.h"

#include <pthread.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "service/base/log.h"
#include "service/storage/sqlite/sqlite_status.h"

namespace aulm::gateway {
namespace {

// Of one commit: what bounds how long the next one waits.
constexpr size_t kMostEvents = 128;
constexpr size_t kMostEventBytes = 8 << 20;
constexpr size_t kMostRows = 512;
constexpr size_t kMostRowBytes = 4 << 20;

// How long a row waits for company where nobody waits for the row: what a crash may cost.
constexpr absl::Duration kRelaxedWait = absl::Milliseconds(20);
// The same after a commit that failed, so that a full disk is not asked again at once.
constexpr absl::Duration kRelaxedRetry = absl::Seconds(1);

constexpr absl::Duration kHousekeepingSoon = absl::Milliseconds(50);
constexpr absl::Duration kHousekeepingLater = absl::Seconds(1);

// Merged with each row that a commit adds, once a merge is due: more than one, so that merging keeps up.
constexpr size_t kMergedPerRow = 3;

constexpr int kCheckpointPages = 1000;
constexpr uint64_t kPageBytes = 4096;

using SteadyClock = std::chrono::steady_clock;

absl::Duration Since(SteadyClock::time_point begun) { return absl::FromChrono(SteadyClock::now() - begun); }

absl::Status Closed() { return absl::UnavailableError("store: closing"); }

}  // namespace

GroupWriter::GroupWriter(Connection& connection, LogTable& log, DeliveryIndex& deliveries, StateTable& state,
                         Housekeeping::Rules rules, Limits limits, Clock& clock, StorageMetrics& metrics)
    : connection_(connection),
      log_(log),
      deliveries_(deliveries),
      state_(state),
      housekeeping_(connection, log, deliveries, state, rules),
      limits_(limits),
      clock_(clock),
      metrics_(metrics),
      relaxed_timer_(clock,
                     [this] {
                       absl::MutexLock lock(&mutex_);
                       relaxed_due_ = true;
                       work_.Signal();
                     }),
      housekeeping_timer_(clock, [this] {
        absl::MutexLock lock(&mutex_);
        housekeeping_due_ = true;
        work_.Signal();
      }) {}

GroupWriter::~GroupWriter() { Stop(); }

void GroupWriter::Start(Listeners listeners) {
  listeners_ = std::move(listeners);
  NoteLog();
  housekeeping_timer_.Schedule(kHousekeepingLater);
  thread_ = std::thread([this] { Run(); });
}

absl::Status GroupWriter::Append(PendingAppend& append) {
  const size_t bytes = append.Bytes();
  absl::MutexLock lock(&mutex_);
  if (!fatal_.ok()) return fatal_;
  if (stopping_) return Closed();
  if (appends_.size() >= limits_.queued_appends || queued_bytes_ + bytes > limits_.queued_bytes) {
    metrics_.Refused();
    return absl::ResourceExhaustedError("store: too many events wait for the disk");
  }
  queued_bytes_ += bytes;
  appends_.push_back(std::move(append));
  if (waiting_) work_.Signal();
  return absl::OkStatus();
}

absl::Status GroupWriter::PutState(StateRowPtr row, bool urgent) {
  bool begin_wait;
  {
    absl::MutexLock lock(&mutex_);
    if (!fatal_.ok()) return fatal_;
    if (stopping_) return Closed();
    begin_wait = !urgent && rows_.size() == urgent_rows_;
    rows_.push_back({std::move(row), urgent});
    if (urgent) ++urgent_rows_;
    if (waiting_ && HasWork()) work_.Signal();
  }
  if (begin_wait) relaxed_timer_.Schedule(failing_ ? kRelaxedRetry : kRelaxedWait);
  return absl::OkStatus();
}

void GroupWriter::Stop() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    work_.Signal();
  }
  if (thread_.joinable()) thread_.join();
}

bool GroupWriter::HasWork() const {
  return !appends_.empty() || urgent_rows_ > 0 || (relaxed_due_ && !rows_.empty()) || housekeeping_due_ || stopping_;
}

GroupWriter::Batch GroupWriter::Take() {
  Batch batch;
  batch.queued = appends_.size();
  batch.appends.reserve(std::min(appends_.size(), kMostEvents));
  size_t bytes = 0;
  while (!appends_.empty() && batch.appends.size() < kMostEvents) {
    const size_t next_bytes = appends_.front().Bytes();
    if (bytes > 0 && bytes + next_bytes > kMostEventBytes) break;
    bytes += next_bytes;
    batch.appends.push_back(std::move(appends_.front()));
    appends_.pop_front();
  }
  queued_bytes_ -= bytes;
  TakeRows(batch.rows);
  return batch;
}

void GroupWriter::TakeRows(std::vector<StateRowPtr>& rows) {
  size_t bytes = 0;
  while (!rows_.empty() && rows.size() < kMostRows && bytes < kMostRowBytes) {
    WaitingRow& first = rows_.front();
    bytes += first.row->Bytes();
    if (first.urgent) --urgent_rows_;
    rows.push_back(std::move(first.row));
    rows_.pop_front();
  }
  if (rows_.size() == urgent_rows_) relaxed_due_ = false;
}

void GroupWriter::Run() {
  pthread_setname_np(pthread_self(), "store_writer");
  while (true) {
    Batch batch;
    bool keep_house;
    absl::Status fatal;
    {
      absl::MutexLock lock(&mutex_);
      while (!HasWork()) {
        waiting_ = true;
        work_.Wait(&mutex_);
        waiting_ = false;
      }
      batch = Take();
      keep_house = std::exchange(housekeeping_due_, false);
      fatal = fatal_;
      if (batch.empty() && stopping_) return;
    }
    if (!fatal.ok()) {
      Refuse(std::move(batch), fatal);
      continue;
    }
    if (!batch.empty()) Commit(std::move(batch));
    if (keep_house || deliveries_.MergeIsDue()) KeepHouse();
    Checkpoint();
  }
}

void GroupWriter::Commit(Batch batch) {
  const SteadyClock::time_point begun = SteadyClock::now();
  const LogTable::Position before = log_.position();
  std::vector<Appended> appended(batch.appends.size());
  if (absl::Status status = Write(batch, appended); !status.ok()) {
    connection_.RollBack();
    log_.Restore(before);
    deliveries_.RolledBack();
    state_.RolledBack();
    NoteError("commit", status);
    Refuse(std::move(batch), SeamStatus(status));
    return;
  }
  deliveries_.Committed();
  state_.Committed();
  if (failing_) LogLine(LogLevel::kInfo, "store_writes_resumed");
  failing_ = false;
  disk_is_full_ = false;
  TellOfMerged();
  const size_t events = log_.position().head - before.head;
  metrics_.Committed(events, appended.size() - events, batch.rows.size(), Since(begun));
  metrics_.SetQueued(batch.queued);
  if (events > 0) {
    listeners_.on_events(TakeEvents(batch, appended));
    NoteLog();
  }
  Settle(std::move(batch), appended);
}

absl::Status GroupWriter::Write(const Batch& batch, std::vector<Appended>& appended) {
  if (absl::Status begun = connection_.Execute("BEGIN IMMEDIATE"); !begun.ok()) return begun;
  const int64_t now_ms = absl::ToUnixMillis(clock_.Now());
  for (size_t i = 0; i < batch.appends.size(); ++i) {
    if (absl::Status status = WriteAppend(batch.appends[i], now_ms, appended[i]); !status.ok()) return status;
  }
  if (absl::Status status = state_.Put(batch.rows); !status.ok()) return status;
  // Whoever adds rows pays for their merging, in the same transaction: no commit waits for a long step of it.
  if (!batch.rows.empty() && !failing_ && state_.MergeIsDue()) {
    const absl::StatusOr<bool> merged = state_.MergeStep(kMergedPerRow * batch.rows.size());
    if (!merged.ok()) return merged.status();
  }
  return connection_.Execute("COMMIT");
}

absl::Status GroupWriter::WriteAppend(const PendingAppend& append, int64_t now_ms, Appended& appended) {
  if (!append.delivery_key.empty()) {
    absl::StatusOr<uint64_t> first = deliveries_.Find(append.delivery_key);
    if (!first.ok()) return first.status();
    if (*first != 0) {
      appended = Appended{*first < log_.position().earliest ? 0 : *first, /*duplicate=*/true};
      return absl::OkStatus();
    }
  }
  absl::StatusOr<uint64_t> sequence = log_.Append(append.record, append.raw_body, now_ms);
  if (!sequence.ok()) return sequence.status();
  if (!append.delivery_key.empty()) deliveries_.Add(append.delivery_key, *sequence, log_.position().ingested_ms);
  appended = Appended{*sequence, /*duplicate=*/false};
  return absl::OkStatus();
}

std::vector<CommittedEvent> GroupWriter::TakeEvents(Batch& batch, const std::vector<Appended>& appended) const {
  std::vector<CommittedEvent> events;
  events.reserve(appended.size());
  for (size_t i = 0; i < appended.size(); ++i) {
    if (appended[i].duplicate) continue;
    // One commit, one time: that of the newest event is that of all of them.
    events.push_back({appended[i].sequence, log_.position().ingested_ms, std::move(batch.appends[i].record)});
  }
  return events;
}

void GroupWriter::Settle(Batch batch, const std::vector<Appended>& appended) {
  // State first: what an append's callback does next should find it settled.
  if (!batch.rows.empty()) listeners_.on_state(std::move(batch.rows), absl::OkStatus());
  for (size_t i = 0; i < appended.size(); ++i) std::move(batch.appends[i].done)(appended[i]);
}

void GroupWriter::Refuse(Batch batch, const absl::Status& status) {
  if (!batch.rows.empty()) listeners_.on_state(std::move(batch.rows), status);
  for (PendingAppend& append : batch.appends) std::move(append.done)(status);
}

void GroupWriter::KeepHouse() {
  const LogTable::Position before = log_.position();
  absl::StatusOr<Housekeeping::Next> next = housekeeping_.Step(clock_.Now());
  if (!next.ok()) NoteError("housekeeping", next.status());
  TellOfMerged();
  if (log_.position().earliest != before.earliest) {
    metrics_.Expired(log_.position().earliest - before.earliest);
    NoteLog();
  }
  if (next.ok() && *next == Housekeeping::Next::kAtOnce) {
    absl::MutexLock lock(&mutex_);
    housekeeping_due_ = true;
    return;
  }
  if (absl::StatusOr<absl::Time> oldest = log_.OldestTime(); oldest.ok()) {
    metrics_.SetOldestAge(*oldest == absl::InfinitePast() ? absl::ZeroDuration() : clock_.Now() - *oldest);
  }
  const bool soon = next.ok() && *next == Housekeeping::Next::kSoon;
  housekeeping_timer_.Schedule(soon ? kHousekeepingSoon : kHousekeepingLater);
}

void GroupWriter::TellOfMerged() {
  if (std::vector<StateRowPtr> merged = state_.TakeMerged(); !merged.empty()) listeners_.on_merged(std::move(merged));
}

void GroupWriter::Checkpoint() {
  const int pages = connection_.WalPages();
  metrics_.SetWalBytes(static_cast<uint64_t>(pages) * kPageBytes);
  if (pages < checkpointed_pages_) checkpointed_pages_ = 0;  // the log's file began anew
  if (pages - checkpointed_pages_ < (disk_is_full_ ? 1 : kCheckpointPages)) return;
  const SteadyClock::time_point begun = SteadyClock::now();
  const absl::StatusOr<bool> whole = connection_.Checkpoint();
  // On a full disk nothing is written until all of it is copied: what a reader kept from it is tried again.
  const bool again = disk_is_full_ && whole.ok() && !*whole;
  if (!again) checkpointed_pages_ = pages;
  if (!whole.ok()) return NoteError("checkpoint", whole.status());
  metrics_.Checkpointed(Since(begun));
}

void GroupWriter::NoteError(absl::string_view operation, const absl::Status& status) {
  metrics_.Failed(status);
  if (!failing_) {
    LogLine(LogLevel::kError, "store_write_failed").Field("operation", operation).Field("error", status.message());
  }
  failing_ = true;
  if (absl::IsResourceExhausted(status)) disk_is_full_ = true;
  if (!absl::IsDataLoss(status)) return;
  {
    absl::MutexLock lock(&mutex_);
    if (!fatal_.ok()) return;
    fatal_ = SeamStatus(status);
  }
  listeners_.on_fatal(status);
}

void GroupWriter::NoteLog() {
  const LogTable::Position& position = log_.position();
  metrics_.SetLog(position.head + 1 - position.earliest, position.Bytes());
  listeners_.on_log(position.Info());
}

}  // namespace aulm::gateway
