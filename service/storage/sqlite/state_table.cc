#include "service/storage/sqlite/state_table.h"

#include <algorithm>
#include <string>
#include <utility>

namespace aulm::gateway {
namespace {

// When a merge begins. More rows share more pages, and cost more memory and a longer start.
constexpr size_t kMergeAt = 65'536;
constexpr size_t kMergeAtBytes = 32 << 20;
constexpr int64_t kRowsSwept = 1000;

}  // namespace

absl::StatusOr<std::unique_ptr<StateTable>> StateTable::Open(Connection& connection) {
  std::unique_ptr<StateTable> table(new StateTable);
  absl::Status status = connection.Prepare({
      {&table->append_, "INSERT INTO state_journal(id, rows) VALUES(?1, ?2)"},
      {&table->forget_, "DELETE FROM state_journal WHERE id <= ?1"},
      {&table->put_,
       "INSERT INTO state(name, expires_ms, revision, value) VALUES(?1, ?2, ?3, ?4) ON CONFLICT(name) DO UPDATE SET"
       " expires_ms = excluded.expires_ms, revision = excluded.revision, value = excluded.value"},
      {&table->delete_, "DELETE FROM state WHERE name = ?1"},
      {&table->after_, "SELECT id, expires_ms FROM state WHERE id > ?1 ORDER BY id LIMIT ?2"},
      {&table->expire_, "DELETE FROM state WHERE id = ?1"},
  });
  status.Update(table->LoadJournal(connection));
  if (!status.ok()) return status;
  return table;
}

absl::Status StateTable::LoadJournal(Connection& connection) {
  absl::StatusOr<Statement> entries = connection.Prepare("SELECT id, rows FROM state_journal ORDER BY id");
  if (!entries.ok()) return entries.status();
  while (true) {
    absl::StatusOr<bool> entry = entries->Step();
    if (!entry.ok()) return entry.status();
    if (!*entry) return absl::OkStatus();
    std::vector<StateRowPtr> rows;
    if (!DecodeStateRows(entries->Bytes(1), rows)) {
      return absl::InternalError("store: the state's journal cannot be decoded: restore the store from a backup");
    }
    journal_.push_back({entries->Integer(0), rows.size()});
    next_id_ = entries->Integer(0) + 1;
    Remember(rows);
  }
}

void StateTable::Remember(absl::Span<const StateRowPtr> rows) {
  for (const StateRowPtr& row : rows) {
    fresh_bytes_ += row->Bytes();
    fresh_.push_back(row);
  }
}

absl::Status StateTable::Put(absl::Span<const StateRowPtr> rows) {
  if (rows.empty()) return absl::OkStatus();
  const std::string entry = EncodeStateRows(rows);
  if (absl::Status status = append_.Bind(1, next_id_).BindBlob(2, entry).Run(); !status.ok()) return status;
  journal_.push_back({next_id_++, rows.size()});
  ++added_entries_;
  added_.insert(added_.end(), rows.begin(), rows.end());
  return absl::OkStatus();
}

std::vector<StateRowPtr> StateTable::Unmerged() const {
  std::vector<StateRowPtr> rows(merging_.begin() + static_cast<ptrdiff_t>(merged_), merging_.end());
  rows.insert(rows.end(), fresh_.begin(), fresh_.end());
  return rows;
}

bool StateTable::MergeIsDue() const {
  return !merging_.empty() || fresh_.size() >= kMergeAt || fresh_bytes_ >= kMergeAtBytes;
}

absl::StatusOr<bool> StateTable::MergeStep(size_t rows) {
  if (merging_.empty()) {
    if (fresh_.empty()) return false;
    BeginMerge();
  }
  if (to_merge_ == merging_.size()) {
    if (absl::Status status = ForgetEntries(rows); !status.ok()) return status;
    return true;
  }
  for (; rows > 0 && to_merge_ < merging_.size(); --rows, ++to_merge_) {
    if (absl::Status status = Merge(*merging_[to_merge_]); !status.ok()) return status;
  }
  return true;
}

void StateTable::BeginMerge() {
  // By name and, since revisions begin anew with each process, by when they came.
  std::vector<std::pair<absl::string_view, size_t>> order;
  order.reserve(fresh_.size());
  for (size_t i = 0; i < fresh_.size(); ++i) order.emplace_back(fresh_[i]->name, i);
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) {
    const bool is_last = i + 1 == order.size() || order[i + 1].first != order[i].first;
    if (is_last) merging_.push_back(fresh_[order[i].second]);
  }
  fresh_.clear();
  fresh_bytes_ = 0;
  // The rows that the running transaction adds are not among them: their entries stay for the next merge.
  merging_through_ = journal_.back().id - added_entries_;
}

absl::Status StateTable::Merge(const StateRow& row) {
  if (!row.value.has_value()) return delete_.BindText(1, row.name).Run();
  return put_.BindText(1, row.name)
      .Bind(2, StateMilliseconds(row.expires))
      .Bind(3, static_cast<int64_t>(row.revision))
      .BindBlob(4, *row.value)
      .Run();
}

absl::Status StateTable::ForgetEntries(size_t most_rows) {
  size_t rows = 0;
  int64_t last = 0;
  for (const Entry& entry : journal_) {
    if (entry.id > merging_through_ || (rows > 0 && rows + entry.rows > most_rows)) break;
    rows += entry.rows;
    last = entry.id;
    ++forgotten_;
  }
  return forget_.Bind(1, last).Run();
}

absl::StatusOr<bool> StateTable::Sweep(absl::Time now) {
  const int64_t now_ms = StateMilliseconds(now);
  std::vector<int64_t> expired;
  int64_t last = 0;
  int64_t rows = 0;
  {
    ResetAtEnd reset(after_);
    after_.Bind(1, swept_).Bind(2, kRowsSwept);
    while (true) {
      absl::StatusOr<bool> row = after_.Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      ++rows;
      last = after_.Integer(0);
      if (after_.Integer(1) <= now_ms) expired.push_back(last);
    }
  }
  for (const int64_t id : expired) {
    if (absl::Status status = expire_.Bind(1, id).Run(); !status.ok()) return status;
  }
  const bool at_end = rows < kRowsSwept;
  swept_ = at_end ? 0 : last;
  return at_end;
}

void StateTable::Committed() {
  Remember(added_);
  added_.clear();
  added_entries_ = 0;
  for (; merged_ < to_merge_; ++merged_) told_of_.push_back(merging_[merged_]);
  journal_.erase(journal_.begin(), journal_.begin() + static_cast<ptrdiff_t>(forgotten_));
  forgotten_ = 0;
  const bool all_forgotten = journal_.empty() || journal_.front().id > merging_through_;
  if (merged_ < merging_.size() || !all_forgotten) return;
  merging_.clear();
  to_merge_ = merged_ = 0;
}

void StateTable::RolledBack() {
  added_.clear();
  while (added_entries_ > 0) {
    journal_.pop_back();
    --next_id_;
    --added_entries_;
  }
  to_merge_ = merged_;
  forgotten_ = 0;
}

}  // namespace aulm::gateway
