#include "service/messaging/pacer.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

namespace stored = aulm::gateway::state::v1;

constexpr char kBucket[] = "pacing";
// Sessions whose pace is remembered here while nobody waits; the store has them all.
constexpr size_t kIdleQueues = 10'000;
// A record tells nothing any more once its day is over and its burst is back.
constexpr absl::Duration kRecordLife = absl::Hours(48);

int64_t DayOf(absl::Time time) { return absl::ToUnixSeconds(time) / 86400; }

absl::Status Refusal(absl::Duration wait, absl::string_view why) {
  absl::Status status = GatewayError(GatewayReason::kPaced, why);
  SetOutcome(status, Outcome::kNotSent);
  SetRetryDelay(status, wait);
  return status;
}

absl::Status NoSlotInTime(absl::Duration wait) {
  return Refusal(wait,
                 "the session's next slot lies beyond the call's deadline or the longest wait; sends are paced so "
                 "that WhatsApp does not ban the number. Try again after the delay, or with a later deadline");
}

absl::Status LimitOfDayReached(absl::Duration wait) {
  return Refusal(wait, "the session's limit of sends for this UTC day (daily_limit, or its warm-up) is reached");
}

prometheus::Histogram& WaitHistogram(prometheus::Registry& registry, const char* lane) {
  return prometheus::BuildHistogram()
      .Name("aulm_pacing_wait_seconds")
      .Help("How long sends waited for their session's slot before they were let through.")
      .Register(registry)
      .Add({{"lane", lane}}, prometheus::Histogram::BucketBoundaries{0.01, 0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60});
}

prometheus::Counter& RefusalCounter(prometheus::Registry& registry, const char* reason) {
  return prometheus::BuildCounter()
      .Name("aulm_pacing_refused_total")
      .Help("Sends refused as PACED: their slot came too late, or the day's limit was reached.")
      .Register(registry)
      .Add({{"reason", reason}});
}

}  // namespace

absl::Time Pacer::Queue::arrival() const {
  return absl::FromUnixMicros(replies ? record.reply_arrival_us() : record.cold_arrival_us());
}

void Pacer::Queue::set_arrival(absl::Time time) {
  if (replies) {
    record.set_reply_arrival_us(absl::ToUnixMicros(time));
  } else {
    record.set_cold_arrival_us(absl::ToUnixMicros(time));
  }
}

absl::Time Pacer::Queue::Slot() const { return arrival() - (pace->burst - 1) * interval(); }

absl::Time Pacer::Queue::SlotBehindAll(absl::Time now) const {
  return std::max(now, std::max(arrival(), now) + spacing - (pace->burst - 1) * interval());
}

std::map<std::string, std::deque<Pacer::Waiter>>::iterator Pacer::Queue::NextLine() {
  const auto line = lines.lower_bound(turn);
  return line == lines.end() ? lines.begin() : line;
}

absl::Duration Pacer::Queue::UntilLimitEnds(absl::Time now, size_t ahead) const {
  const int64_t limit = pace->LimitOf(absl::ToCivilDay(now, absl::UTCTimeZone()));
  const int64_t sent = record.day() == DayOf(now) ? record.sends_of_day() : 0;
  if (limit == 0 || sent + static_cast<int64_t>(ahead) < limit) return absl::ZeroDuration();
  return absl::FromUnixSeconds((DayOf(now) + 1) * 86400) - now;
}

Pacer::Waiter Pacer::Queue::TakeNext() {
  const auto line = NextLine();
  Waiter first = std::move(line->second.front());
  line->second.pop_front();
  // The turn passes to whoever stands behind this caller.
  turn = line->first + '\0';
  if (line->second.empty()) lines.erase(line);
  --size;
  spacing -= first.spacing;
  return first;
}

std::vector<Pacer::Waiter> Pacer::Queue::TakeHopeless(absl::Time slot) {
  std::vector<Waiter> hopeless;
  for (auto line = lines.begin(); line != lines.end();) {
    std::deque<Waiter> rest;
    for (Waiter& waiter : line->second) {
      if (waiter.latest < slot) {
        spacing -= waiter.spacing;
        hopeless.push_back(std::move(waiter));
      } else {
        rest.push_back(std::move(waiter));
      }
    }
    line->second = std::move(rest);
    line = line->second.empty() ? lines.erase(line) : std::next(line);
  }
  size -= hopeless.size();
  return hopeless;
}

std::vector<Pacer::Waiter> Pacer::Queue::TakeAll() { return TakeHopeless(absl::InfiniteFuture()); }

Pacer::Pacer(Paces paces, const RecentPeers& recent, StateStore& store, Clock& clock, Random& random,
             prometheus::Registry& registry)
    : paces_(std::move(paces)),
      recent_(recent),
      store_(store),
      clock_(clock),
      random_(random),
      cold_wait_(WaitHistogram(registry, "cold")),
      reply_wait_(WaitHistogram(registry, "reply")),
      too_late_(RefusalCounter(registry, "too_late")),
      day_is_full_(RefusalCounter(registry, "daily_limit")) {}

std::shared_ptr<Pacer::Queue> Pacer::QueueOf(const Turn& turn, const Pace& pace, bool replies) {
  const std::string key = absl::StrCat(turn.account, "/", absl::AsciiStrToLower(turn.session_id));
  std::shared_ptr<Queue>& queue = queues_[absl::StrCat(key, replies ? "/reply" : "/cold")];
  if (queue != nullptr) return queue;
  std::shared_ptr<Queue> made = std::make_shared<Queue>();
  made->key = key;
  made->pace = &pace;
  made->replies = replies;
  queue = made;
  if (queues_.size() > kIdleQueues) {
    absl::erase_if(queues_, [&](const auto& entry) { return !entry.second->busy && entry.second != made; });
  }
  return made;
}

Pacer::Ticket Pacer::Wait(const Turn& turn, Ready ready) {
  const Pace& pace = paces_.Of(turn.session_id);
  if (pace.off) {
    std::move(ready)(absl::OkStatus());
    return 0;
  }
  const absl::Time now = clock_.Now();
  const bool replies = recent_.WroteSince(turn.account, turn.session_id, turn.to, now - pace.reply_window);
  const absl::Time latest = std::min(turn.answer_by, now + pace.max_wait);
  absl::Status refusal;
  std::shared_ptr<Queue> idle;
  Ticket ticket = 0;
  {
    absl::MutexLock lock(&mutex_);
    const std::shared_ptr<Queue> queue = QueueOf(turn, pace, replies);
    // Known or not, what is known here is what a caller can be told at once; the rest shows when its turn comes.
    const absl::Time slot = queue->SlotBehindAll(now);
    const absl::Duration limit = queue->UntilLimitEnds(now, queue->size);
    if (limit > absl::ZeroDuration()) {
      refusal = LimitOfDayReached(limit);
      day_is_full_.Increment();
    } else if (slot > latest) {
      refusal = NoSlotInTime(slot - now);
      too_late_.Increment();
    } else {
      ticket = next_ticket_++;
      const double jitter = 1 + pace.jitter * (2 * random_.Uniform() - 1);
      const absl::Duration spacing = jitter * queue->interval();
      queue->lines[turn.caller].push_back({ticket, latest, spacing, now, std::move(ready)});
      queue->spacing += spacing;
      ++queue->size;
      tickets_.emplace(ticket, std::make_pair(queue, turn.caller));
      if (!queue->busy) {
        queue->busy = true;
        idle = queue;
      }
    }
  }
  // What was refused was not queued. NOLINTNEXTLINE(bugprone-use-after-move)
  if (!refusal.ok()) std::move(ready)(std::move(refusal));
  if (idle != nullptr) Serve(idle);
  return ticket;
}

bool Pacer::Leave(Ticket ticket) {
  Waiter left;  // destroyed after the lock
  absl::MutexLock lock(&mutex_);
  const auto place = tickets_.find(ticket);
  if (place == tickets_.end()) return false;
  Queue& queue = *place->second.first;
  const auto line = queue.lines.find(place->second.second);
  const auto waiter = std::find_if(line->second.begin(), line->second.end(),
                                   [&](const Waiter& other) { return other.ticket == ticket; });
  left = std::move(*waiter);
  queue.spacing -= left.spacing;
  line->second.erase(waiter);
  if (line->second.empty()) queue.lines.erase(line);
  --queue.size;
  tickets_.erase(place);
  return true;
}

size_t Pacer::waiting() const {
  absl::MutexLock lock(&mutex_);
  return tickets_.size();
}

std::vector<Pacer::Lane> Pacer::Lanes(size_t most) const {
  const absl::Time now = clock_.Now();
  std::vector<Lane> lanes;
  absl::MutexLock lock(&mutex_);
  for (const bool waiting : {true, false}) {
    for (const auto& [name, queue] : queues_) {
      if ((queue->size > 0) != waiting || !(waiting || queue->known)) continue;
      if (lanes.size() == most) return lanes;
      const std::pair<std::string, std::string> key = absl::StrSplit(queue->key, absl::MaxSplits('/', 1));
      Lane& lane = lanes.emplace_back();
      lane.account = key.first;
      lane.session_id = key.second;
      lane.replies = queue->replies;
      lane.waiting = queue->size;
      lane.next_slot = queue->Slot();
      lane.sent_today = queue->record.day() == DayOf(now) ? queue->record.sends_of_day() : 0;
      lane.limit_today = queue->pace->LimitOf(absl::ToCivilDay(now, absl::UTCTimeZone()));
    }
  }
  return lanes;
}

void Pacer::Serve(const std::shared_ptr<Queue>& queue) {
  bool known;
  {
    absl::MutexLock lock(&mutex_);
    if (queue->size == 0) {
      queue->busy = false;
      return;
    }
    known = queue->known;
  }
  if (known) return Reserve(queue);
  store_.Get(kBucket, queue->key,
             [this, queue](absl::StatusOr<std::optional<StateEntry>> entry) { OnRead(queue, std::move(entry)); });
}

void Pacer::OnRead(const std::shared_ptr<Queue>& queue, absl::StatusOr<std::optional<StateEntry>> entry) {
  stored::PacingRecord record;
  absl::Status failure = entry.status();
  const std::optional<StateEntry> found = failure.ok() ? *std::move(entry) : std::nullopt;
  if (found.has_value() && !record.ParseFromString(found->value)) {
    failure = absl::DataLossError("a pacing record cannot be read");
  }
  if (!failure.ok()) return RefuseAll(queue, failure);
  {
    absl::MutexLock lock(&mutex_);
    queue->record = record;
    queue->revision = found.has_value() ? found->revision : 0;
    queue->known = true;
  }
  Reserve(queue);
}

void Pacer::Reserve(const std::shared_ptr<Queue>& queue) {
  const absl::Time now = clock_.Now();
  std::vector<Waiter> refused;
  absl::Status refusal;
  absl::Duration wait;
  stored::PacingRecord next;
  uint64_t revision = 0;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Duration limit = queue->UntilLimitEnds(now, 0);
    const absl::Time slot = queue->Slot();
    if (limit > absl::ZeroDuration()) {
      refusal = LimitOfDayReached(limit);
      refused = queue->TakeAll();
      day_is_full_.Increment(static_cast<double>(refused.size()));
    } else {
      refusal = NoSlotInTime(std::max(slot - now, absl::ZeroDuration()));
      refused = queue->TakeHopeless(std::max(slot, now));
      too_late_.Increment(static_cast<double>(refused.size()));
    }
    Forget(refused);
    if (queue->size == 0) {
      queue->busy = false;
    } else if (slot <= now) {
      const stored::PacingRecord before = queue->record;
      queue->set_arrival(std::max(queue->arrival(), now) + queue->NextLine()->second.front().spacing);
      queue->record.set_sends_of_day(queue->record.day() == DayOf(now) ? queue->record.sends_of_day() + 1 : 1);
      queue->record.set_day(DayOf(now));
      next = queue->record;
      queue->record = before;  // until the store has taken it
      revision = queue->revision;
    } else {
      wait = slot - now;
    }
    if (queue->size == 0) wait = absl::InfiniteDuration();
  }
  for (Waiter& waiter : refused) std::move(waiter.ready)(refusal);
  if (wait == absl::InfiniteDuration()) return;
  if (wait > absl::ZeroDuration()) {
    // Another replica may take the slot meanwhile: then the write fails, and the next slot is waited for.
    clock_.CallAfter(wait, [this, queue] { Reserve(queue); });
    return;
  }
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, queue->key, next.SerializeAsString(), revision, now + kRecordLife});
  // Relaxed: a slot that a crash forgets is one send too early, once; waiting for the disk would cost every send.
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed,
               [this, queue, next](const std::vector<absl::StatusOr<uint64_t>>& results) {
                 OnReserved(queue, next, results.front());
               });
}

void Pacer::OnReserved(const std::shared_ptr<Queue>& queue, stored::PacingRecord record,
                       absl::StatusOr<uint64_t> revision) {
  if (!revision.ok() && !absl::IsAborted(revision.status())) return RefuseAll(queue, revision.status());
  std::vector<Waiter> first;
  {
    absl::MutexLock lock(&mutex_);
    queue->known = revision.ok();
    if (revision.ok()) {
      queue->record = std::move(record);
      queue->revision = *revision;
      if (queue->size > 0) first.push_back(queue->TakeNext());
      Forget(first);
    }
  }
  for (Waiter& waiter : first) {
    (queue->replies ? reply_wait_ : cold_wait_).Observe(absl::ToDoubleSeconds(clock_.Now() - waiter.since));
    std::move(waiter.ready)(absl::OkStatus());
  }
  Serve(queue);
}

void Pacer::RefuseAll(const std::shared_ptr<Queue>& queue, const absl::Status& status) {
  std::vector<Waiter> refused;
  {
    absl::MutexLock lock(&mutex_);
    refused = queue->TakeAll();
    Forget(refused);
    queue->known = false;
    queue->busy = false;
  }
  absl::Status refusal = GatewayError(
      GatewayReason::kStoreUnavailable,
      absl::StrCat("the session's pace cannot be read: ", status.message(), ". Nothing was sent; try again"));
  SetOutcome(refusal, Outcome::kNotSent);
  for (Waiter& waiter : refused) std::move(waiter.ready)(refusal);
}

void Pacer::Forget(const std::vector<Waiter>& waiters) {
  for (const Waiter& waiter : waiters) tickets_.erase(waiter.ticket);
}

}  // namespace aulm::gateway
