#include "service/storage/jetstream/state_sweeper.h"

#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr char kBucket[] = "store";
constexpr char kKey[] = "sweep";
constexpr absl::Duration kBetweenSweeps = absl::Minutes(10);
constexpr absl::Duration kBetweenTries = absl::Minutes(1);
constexpr absl::Duration kTimeout = absl::Seconds(2);
// Clocks differ; and who reads a marker of a deletion may be about to write upon it.
constexpr absl::Duration kGrace = absl::Minutes(2);

}  // namespace

StateSweeper::StateSweeper(JetStreamStateStore& store, StateBuckets& buckets, JetStreamApi& api, TaskThread& thread,
                           const Clock& clock, std::string self)
    : store_(store),
      buckets_(buckets),
      api_(api),
      thread_(thread),
      clock_(clock),
      self_(std::move(self)),
      next_try_(clock.Now() + kBetweenTries) {}

void StateSweeper::Tick() {
  if (sweeping_ || stopped_ || clock_.Now() < next_try_) return;
  next_try_ = clock_.Now() + kBetweenTries;
  std::vector<StateWrite> writes;
  writes.push_back({kBucket, kKey, self_, /*expected_revision=*/0, clock_.Now() + kBetweenSweeps});
  store_.Write(std::move(writes), StateStore::Durability::kRelaxed,
               [this](const std::vector<absl::StatusOr<uint64_t>>& results) {
                 if (results.front().ok()) Begin();
               });
}

void StateSweeper::Begin() {
  sweeping_ = true;
  left_ = buckets_.Known();
  NextBucket();
}

void StateSweeper::NextBucket() {
  if (left_.empty() || stopped_) {
    sweeping_ = false;
    return;
  }
  bucket_ = std::move(left_.back());
  left_.pop_back();
  Look(1);
}

void StateSweeper::Look(uint64_t sequence) {
  if (stopped_) return;
  api_.Call(absl::StrCat("STREAM.MSG.GET.", buckets_.StreamOf(bucket_)), {{"seq", sequence}, {"next_by_subj", ">"}},
            kTimeout, [this](absl::StatusOr<boost::json::object> answer) {
              thread_.Post([this, answer = std::move(answer)] {
                // The end of the bucket, or trouble: then the next sweep does it.
                if (!answer.ok() || stopped_) return NextBucket();
                const absl::StatusOr<StoredMessage> message = ParseStoredMessage(*answer);
                if (!message.ok()) return NextBucket();
                if (IsOver(*message)) return Remove(message->sequence);
                Look(message->sequence + 1);
              });
            });
}

void StateSweeper::Remove(uint64_t sequence) {
  api_.Call(absl::StrCat("STREAM.MSG.DELETE.", buckets_.StreamOf(bucket_)), {{"seq", sequence}, {"no_erase", true}},
            kTimeout, [this, sequence](const absl::StatusOr<boost::json::object>&) {
              thread_.Post([this, sequence] { Look(sequence + 1); });
            });
}

bool StateSweeper::IsOver(const StoredMessage& message) const {
  const absl::Time now = clock_.Now();
  if (!message.Header(JetStreamStateStore::kOperationHeader).empty()) return message.time + kGrace < now;
  int64_t expires_ms = 0;
  return absl::SimpleAtoi(message.Header(JetStreamStateStore::kExpiresHeader), &expires_ms) &&
         absl::FromUnixMillis(expires_ms) + kGrace < now;
}

}  // namespace aulm::gateway
