#include "service/storage/sqlite/committed_events.h"

#include <algorithm>
#include <utility>

#include "service/storage/event_record.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMostBytes = 2 << 20;

size_t BytesOf(const std::vector<CommittedEvent>& events) {
  size_t bytes = 0;
  for (const CommittedEvent& event : events) bytes += event.record.size();
  return bytes;
}

}  // namespace

void CommittedEvents::Add(std::vector<CommittedEvent> events) {
  if (events.empty() || most_events_ == 0) return;
  const size_t bytes = BytesOf(events);
  auto commit = std::make_shared<const Commit>(std::move(events));
  std::vector<std::shared_ptr<const Commit>> dropped;  // freed without the lock
  absl::MutexLock lock(&mutex_);
  events_ += commit->size();
  bytes_ += bytes;
  commits_.push_back(std::move(commit));
  while (commits_.size() > 1 && (events_ > most_events_ || bytes_ > kMostBytes)) {
    events_ -= commits_.front()->size();
    bytes_ -= BytesOf(*commits_.front());
    dropped.push_back(std::move(commits_.front()));
    commits_.pop_front();
  }
}

std::vector<std::shared_ptr<const CommittedEvents::Commit>> CommittedEvents::CommitsAfter(uint64_t after) const {
  absl::MutexLock lock(&mutex_);
  if (commits_.empty() || after + 1 < commits_.front()->front().sequence) return {};
  const auto first =
      std::find_if(commits_.rbegin(), commits_.rend(), [after](const std::shared_ptr<const Commit>& commit) {
        return commit->front().sequence <= after + 1;
      }).base();
  if (first == commits_.begin()) return {};
  return {first - 1, commits_.end()};
}

std::optional<EventPage> CommittedEvents::Read(uint64_t after, uint64_t earliest, const ReadLimits& limits) const {
  if (limits.raw_body || after + 1 < earliest) return std::nullopt;
  std::vector<std::shared_ptr<const Commit>> commits = CommitsAfter(after);
  if (commits.empty() || commits.back()->back().sequence <= after) return std::nullopt;
  EventPage page;
  size_t bytes = 0;
  for (const std::shared_ptr<const Commit>& commit : commits) {
    for (const CommittedEvent& committed : *commit) {
      if (committed.sequence <= after) continue;
      LoggedEvent event;
      event.sequence = committed.sequence;
      event.ingested = absl::FromUnixMillis(committed.ingested_ms);
      if (!DecodeEventRecord(committed.record, event)) return std::nullopt;  // the database will say so
      bytes += event.event.size();
      const bool is_full = page.events.size() >= std::max<size_t>(limits.max_events, 1) ||
                           (bytes > limits.max_bytes && !page.events.empty());
      if (is_full) {
        page.memory = std::make_shared<const std::vector<std::shared_ptr<const Commit>>>(std::move(commits));
        return page;
      }
      page.events.push_back(event);
    }
  }
  page.end_of_log = true;
  page.memory = std::make_shared<const std::vector<std::shared_ptr<const Commit>>>(std::move(commits));
  return page;
}

}  // namespace aulm::gateway
