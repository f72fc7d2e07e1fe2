#include "service/storage/sqlite/delivery_index.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "service/storage/delivery_key.h"
#include "service/storage/event_record.h"

namespace aulm::gateway {
namespace {

// When a merge begins. More keys share more pages, and cost more memory and a longer start.
constexpr size_t kMergeAt = 32'768;
// Of one step: in a large table each may be a page. Twice what a commit can add, so that merging keeps up.
constexpr int kKeysMerged = 256;

constexpr int64_t kRowsSwept = 1000;

constexpr uint64_t kNoSequence = std::numeric_limits<uint64_t>::max();

}  // namespace

absl::StatusOr<std::unique_ptr<DeliveryIndex>> DeliveryIndex::Open(Connection& connection) {
  std::unique_ptr<DeliveryIndex> index(new DeliveryIndex(connection));
  absl::Status status = connection.Prepare({
      {&index->find_, "SELECT sequence FROM deliveries WHERE id = ?1"},
      {&index->insert_, "INSERT INTO deliveries(id, sequence, seen_s) VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING"},
      {&index->set_merged_,
       "INSERT INTO meta(name, value) VALUES('merged', ?1) ON CONFLICT(name) DO UPDATE SET value = excluded.value"},
      {&index->after_, "SELECT id, seen_s FROM deliveries WHERE id > ?1 ORDER BY id LIMIT ?2"},
      {&index->delete_, "DELETE FROM deliveries WHERE id = ?1"},
  });
  status.Update(index->LoadUnmerged());
  if (!status.ok()) return status;
  return index;
}

DeliveryIndex::DeliveryIndex(Connection& connection)
    : connection_(connection), merged_(merging_.end()), to_merge_(merging_.end()) {}

absl::Status DeliveryIndex::LoadUnmerged() {
  absl::StatusOr<Statement> events = connection_.Prepare(
      "SELECT sequence, ingested_ms, record FROM events"
      " WHERE sequence > ifnull((SELECT value FROM meta WHERE name = 'merged'), 0) ORDER BY sequence");
  if (!events.ok()) return events.status();
  while (true) {
    absl::StatusOr<bool> row = events->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    LoggedEvent event;
    if (!DecodeEventRecord(events->Bytes(2), event)) {
      return absl::InternalError("store: an event cannot be decoded: restore the store from a backup");
    }
    const std::string key = DeliveryKey(event.attributes.account, event.delivery_id);
    if (!key.empty()) Add(key, static_cast<uint64_t>(events->Integer(0)), events->Integer(1));
  }
  Committed();
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> DeliveryIndex::Find(absl::string_view key) {
  for (const Keys* keys : {&fresh_, &merging_}) {
    if (auto found = keys->find(key); found != keys->end()) return found->second.sequence;
  }
  ResetAtEnd reset(find_);
  absl::StatusOr<bool> row = find_.BindBlob(1, key).Step();
  if (!row.ok()) return row.status();
  return *row ? static_cast<uint64_t>(find_.Integer(0)) : 0;
}

void DeliveryIndex::Add(absl::string_view key, uint64_t sequence, int64_t ingested_ms) {
  if (fresh_.empty()) first_fresh_ = sequence;
  fresh_.try_emplace(std::string(key), Seen{sequence, ingested_ms / 1000});
  added_.emplace_back(key);
}

uint64_t DeliveryIndex::FirstUnmerged() const {
  if (!merging_.empty()) return first_merging_;
  return fresh_.empty() ? kNoSequence : first_fresh_;
}

bool DeliveryIndex::MergeIsDue() const { return !merging_.empty() || fresh_.size() >= kMergeAt; }

absl::StatusOr<bool> DeliveryIndex::MergeStep(uint64_t head) {
  if (merging_.empty()) {
    if (fresh_.empty()) return false;
    merging_.swap(fresh_);
    first_merging_ = first_fresh_;
    merging_through_ = head;
    merged_ = to_merge_ = merging_.begin();
  }
  for (int keys = 0; keys < kKeysMerged && to_merge_ != merging_.end(); ++keys, ++to_merge_) {
    const auto& [key, seen] = *to_merge_;
    absl::Status status =
        insert_.BindBlob(1, key).Bind(2, static_cast<int64_t>(seen.sequence)).Bind(3, seen.seconds).Run();
    if (!status.ok()) return status;
  }
  if (to_merge_ == merging_.end()) {
    absl::Status status = set_merged_.Bind(1, static_cast<int64_t>(merging_through_)).Run();
    if (!status.ok()) return status;
  }
  return true;
}

absl::StatusOr<bool> DeliveryIndex::Sweep(int64_t before_ms) {
  std::vector<std::string> expired;
  std::string last;
  int64_t rows = 0;
  {
    ResetAtEnd reset(after_);
    after_.BindBlob(1, swept_).Bind(2, kRowsSwept);
    while (true) {
      absl::StatusOr<bool> row = after_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      ++rows;
      last = std::string(after_.Bytes(0));
      if (after_.Integer(1) < before_ms / 1000) expired.push_back(last);
    }
  }
  for (const std::string& key : expired) {
    if (absl::Status status = delete_.BindBlob(1, key).Run(); !status.ok()) return status;
  }
  const bool at_end = rows < kRowsSwept;
  swept_ = at_end ? "" : last;
  return at_end;
}

void DeliveryIndex::Committed() {
  added_.clear();
  merged_ = to_merge_;
  if (merged_ != merging_.end()) return;
  merging_.clear();
  merged_ = to_merge_ = merging_.end();
}

void DeliveryIndex::RolledBack() {
  for (const std::string& key : added_) fresh_.erase(key);
  added_.clear();
  to_merge_ = merged_;
}

}  // namespace aulm::gateway
