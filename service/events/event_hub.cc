#include "service/events/event_hub.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "service/base/log.h"
#include "service/base/status_details.h"

namespace aulm::gateway {

void EventHub::Signal::Raise() {
  absl::MutexLock lock(&mutex);
  pending = true;
  changed.Signal();
}

EventHub::EventHub(EventLog& log, Clock& clock, EventsMetrics& metrics, const EventHubOptions& options)
    : log_(log),
      clock_(clock),
      metrics_(metrics),
      options_(options),
      signal_(std::make_shared<Signal>()),
      ring_(options.ring_bytes),
      workers_(options.read_threads) {}

EventHub::~EventHub() { Stop(); }

absl::Status EventHub::Start() {
  const absl::StatusOr<Position> head = ResolveStart(log_, Latest{});
  if (!head.ok()) return head.status();
  {
    absl::MutexLock lock(&mutex_);
    ring_.Restart(*head);
  }
  log_.Watch([signal = signal_](uint64_t) { signal->Raise(); });
  signal_->Raise();  // for what came between the two
  thread_ = std::thread([this] { Run(); });
  return absl::OkStatus();
}

void EventHub::Stop() {
  if (thread_.joinable()) {
    log_.Unwatch();
    {
      absl::MutexLock lock(&signal_->mutex);
      signal_->stopping = true;
      signal_->changed.Signal();
    }
    thread_.join();
  }
  workers_.Stop();
  absl::flat_hash_set<std::shared_ptr<HeadWaiter>> dropped;
  absl::MutexLock lock(&mutex_);
  dropped.swap(waiting_);
}

EventHub::View EventHub::Look(uint64_t after) const {
  absl::ReaderMutexLock lock(&mutex_);
  if (after >= ring_.head().sequence) return {View::Where::kAtHead, nullptr, ring_.head()};
  if (after < ring_.start()) return {View::Where::kBehind, nullptr, ring_.head()};
  return {View::Where::kInside, ring_.PageAfter(after), ring_.head()};
}

bool EventHub::WaitAtHead(uint64_t after, std::shared_ptr<HeadWaiter> waiter) {
  absl::MutexLock lock(&mutex_);
  if (after < ring_.head().sequence) return false;
  waiting_.insert(std::move(waiter));
  return true;
}

void EventHub::StopWaiting(const std::shared_ptr<HeadWaiter>& waiter) {
  absl::MutexLock lock(&mutex_);
  waiting_.erase(waiter);
}

Position EventHub::head() const {
  absl::MutexLock lock(&mutex_);
  return ring_.head();
}

std::optional<Position> EventHub::TryResolve(const LogStart& start) const {
  const LogInfo info = log_.Info();
  if (std::holds_alternative<Earliest>(start)) return EarliestPosition(info);
  absl::MutexLock lock(&mutex_);
  if (std::holds_alternative<Latest>(start)) {
    if (ring_.head().sequence == info.head) return ring_.head();
    return std::nullopt;
  }
  const auto* const cursor = std::get_if<Cursor>(&start);
  if (cursor == nullptr || !CheckCoverage(*cursor, info).ok()) return std::nullopt;
  const EncodedEvent* const event = ring_.Find(cursor->sequence);
  if (event == nullptr || event->fingerprint != cursor->fingerprint) return std::nullopt;
  return Position{cursor->sequence, cursor->fingerprint};
}

void EventHub::Run() {
  while (true) {
    {
      absl::MutexLock lock(&signal_->mutex);
      while (!signal_->pending && !signal_->stopping) signal_->changed.Wait(&signal_->mutex);
      if (signal_->stopping) return;
      signal_->pending = false;
    }
    if (Follow()) continue;
    metrics_.read_failures->Increment();
    clock_.CallAfter(options_.retry_delay, [signal = signal_] { signal->Raise(); });
  }
}

bool EventHub::Follow() {
  uint64_t after = head().sequence;
  // What is stored before a read begins, the read sees.
  const LogInfo before = log_.Info();
  if (before.head <= after) return true;
  ReadLimits limits;
  limits.max_events = options_.page_events;
  limits.max_bytes = options_.page_bytes;
  absl::StatusOr<EventPage> page = ReadOnward(log_, after, limits);
  if (!page.ok() && HasReason(page.status(), GatewayReason::kCursorExpired)) {
    // Retention was faster than the hub. The ring starts anew; streams that stood before it learn of the loss when
    // they read the log themselves.
    after = std::max(after, log_.Info().earliest - 1);
    {
      absl::MutexLock lock(&mutex_);
      ring_.Restart({after, 0});
    }
    LogLine(LogLevel::kError, "events_fell_behind_retention").Field("sequence", after);
    page = ReadOnward(log_, after, limits);
  }
  if (!page.ok() || (page->events.empty() && !page->end_of_log)) {
    LogLine(LogLevel::kWarn, "events_read_failed").Field("message", page.status().message());
    return false;
  }
  Publish(*page, after, before);
  signal_->Raise();  // there may be more
  return true;
}

void EventHub::Publish(const EventPage& page, uint64_t after, const LogInfo& before) {
  std::shared_ptr<const EncodedPage> encoded;
  std::vector<std::shared_ptr<const EncodedPage>> merged;
  if (!page.events.empty()) {
    if (options_.on_events) options_.on_events(page);
    encoded = EncodedPage::EncodeAll(before.epoch, after, page);
    {
      absl::MutexLock lock(&mutex_);
      merged = ring_.ToMergeWith(*encoded);
    }
    // Copied outside the lock: nobody else changes the ring.
    const size_t replaced = merged.size();
    if (replaced > 0) {
      merged.push_back(std::move(encoded));
      encoded = EncodedPage::Merge(merged);
      merged.resize(replaced);
    }
  }
  std::vector<std::shared_ptr<HeadWaiter>> wake;
  size_t ring_bytes, ring_events;
  {
    absl::MutexLock lock(&mutex_);
    if (encoded != nullptr) {
      ring_.Append(std::move(encoded), merged.size());
    } else {
      ring_.Skip(before.head);
    }
    ring_bytes = ring_.bytes();
    ring_events = ring_.events();
    wake.assign(waiting_.begin(), waiting_.end());
    waiting_.clear();
  }
  metrics_.encoded_events->Increment(static_cast<double>(page.events.size()));
  metrics_.ring_bytes->Set(static_cast<double>(ring_bytes));
  metrics_.ring_events->Set(static_cast<double>(ring_events));
  for (const std::shared_ptr<HeadWaiter>& waiter : wake) waiter->OnHead();
}

}  // namespace aulm::gateway
