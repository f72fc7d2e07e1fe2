#include "service/messaging/status_index.h"

#include <atomic>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "aulm/gateway/v1/event.pb.h"
#include "service/base/log.h"
#include "service/messaging/message_record.h"

namespace aulm::gateway {
namespace {

constexpr char kBucket[] = "message_statuses";
constexpr char kCheckpointBucket[] = "checkpoints";
constexpr char kCheckpointKey[] = "message_statuses";
constexpr absl::Duration kBetweenCheckpoints = absl::Minutes(1);
// An entry written so long ago is on the disk.
constexpr absl::Duration kSettled = absl::Seconds(30);

// The order of the keys is that of the sequences.
std::string EntryKey(absl::string_view message_key, uint64_t sequence) {
  return absl::StrCat(message_key, "/", absl::StrFormat("%020u", sequence));
}

absl::StatusOr<std::optional<StateEntry>> GetBlocking(StateStore& store, const std::string& bucket,
                                                      const std::string& key) {
  absl::StatusOr<std::optional<StateEntry>> result;
  absl::Notification done;
  store.Get(bucket, key, [&](absl::StatusOr<std::optional<StateEntry>> entry) {
    result = std::move(entry);
    done.Notify();
  });
  done.WaitForNotification();
  return result;
}

}  // namespace

std::shared_ptr<StatusIndex> StatusIndex::Create(absl::Duration retention, StateStore& store, Clock& clock) {
  return std::shared_ptr<StatusIndex>(new StatusIndex(retention, store, clock));
}

void StatusIndex::Add(absl::string_view message_key, uint64_t sequence) {
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, EntryKey(message_key, sequence), "", std::nullopt, clock_.Now() + retention_});
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed, nullptr);
}

void StatusIndex::List(absl::string_view message_key,
                       absl::AnyInvocable<void(absl::StatusOr<std::vector<uint64_t>>) &&> done) {
  const std::string prefix = absl::StrCat(message_key, "/");
  store_.List(kBucket, prefix, "", kMostListed,
              [prefix, done = std::move(done)](absl::StatusOr<std::vector<StateEntry>> entries) mutable {
                if (!entries.ok()) return std::move(done)(entries.status());
                std::vector<uint64_t> sequences;
                for (const StateEntry& entry : *entries) {
                  uint64_t sequence = 0;
                  if (absl::SimpleAtoi(absl::string_view(entry.key).substr(prefix.size()), &sequence)) {
                    sequences.push_back(sequence);
                  }
                }
                std::move(done)(std::move(sequences));
              });
}

void StatusIndex::CatchUp(EventLog& log) {
  const auto checkpoint = GetBlocking(store_, kCheckpointBucket, kCheckpointKey);
  bool complete = checkpoint.ok();
  const std::optional<StateEntry> entry = complete ? *checkpoint : std::nullopt;
  int64_t since_ms = 0;
  // A store without a checkpoint is a new one.
  if (entry.has_value() && absl::SimpleAtoi(entry->value, &since_ms)) {
    absl::StatusOr<uint64_t> after = log.FindTime(absl::FromUnixMillis(since_ms));
    complete = after.ok();
    while (complete) {
      const absl::StatusOr<EventPage> page = log.Read(*after, ReadLimits{});
      complete = page.ok() && AddPage(*page);
      if (!complete || page->events.empty() || page->end_of_log) break;
      after = page->events.back().sequence;
    }
  }
  if (complete) return WriteCheckpoint();
  LogLine(LogLevel::kWarn, "statuses_not_read_again");
}

bool StatusIndex::AddPage(const EventPage& page) {
  std::vector<std::pair<std::string, uint64_t>> statuses;
  for (const LoggedEvent& event : page.events) {
    const EventAttributes& about = event.attributes;
    if (about.type != v1::EVENT_TYPE_MESSAGE_STATUS || about.test) continue;
    std::string key = MessageKey(about.account, about.session_id, about.message_id);
    if (!key.empty()) statuses.emplace_back(std::move(key), event.sequence);
  }
  absl::BlockingCounter open(static_cast<int>(statuses.size()));
  std::atomic<bool> failed = false;
  for (const auto& status : statuses) {
    store_.Get(kMessageBucket, status.first, [&, this](const absl::StatusOr<std::optional<StateEntry>>& entry) {
      if (!entry.ok()) failed = true;
      if (entry.ok() && entry->has_value()) Add(status.first, status.second);
      open.DecrementCount();
    });
  }
  open.Wait();
  return !failed;
}

void StatusIndex::WriteCheckpoint() {
  std::vector<StateWrite> writes;
  writes.push_back(
      {kCheckpointBucket, kCheckpointKey, absl::StrCat(absl::ToUnixMillis(clock_.Now() - kSettled)), std::nullopt});
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed, nullptr);
  clock_.CallAfter(kBetweenCheckpoints, [weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->WriteCheckpoint();
  });
}

}  // namespace aulm::gateway
