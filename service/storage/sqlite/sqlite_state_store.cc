#include "service/storage/sqlite/sqlite_state_store.h"

#include <algorithm>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "service/storage/sqlite/sqlite_status.h"
#include "service/storage/state_key.h"

namespace aulm::gateway {
namespace {

std::string NameOf(absl::string_view bucket, absl::string_view key) { return absl::StrCat(bucket, "/", key); }

// Whether a read shows the row.
bool Exists(const StateRowPtr& row, absl::Time now) {
  return row != nullptr && row->value.has_value() && row->expires > now;
}

StateEntry EntryOf(const StateRow& row, size_t bucket_bytes) {
  return StateEntry{row.name.substr(bucket_bytes + 1), *row.value, row.revision, row.expires};
}

}  // namespace

SqliteStateStore::SqliteStateStore(std::unique_ptr<StateReader> reader, GroupWriter& writer, TaskThread& thread,
                                   Clock& clock, uint64_t first_revision, size_t max_open)
    : reader_(std::move(reader)),
      writer_(writer),
      thread_(thread),
      clock_(clock),
      max_open_(max_open),
      next_revision_(first_revision) {}

void SqliteStateStore::Write(std::vector<StateWrite> writes, Durability durability, WriteCallback done) {
  const bool somebody_waits = done != nullptr;
  if (absl::Status refused = Admit(); !refused.ok()) {
    if (!somebody_waits) return;
    thread_.Post([count = writes.size(), done = std::move(done), refused]() mutable {
      std::move(done)(std::vector<absl::StatusOr<uint64_t>>(count, refused));
    });
    return;
  }
  TaskThread::Task task = [this, writes = std::move(writes), durability, done = std::move(done)]() mutable {
    --open_calls_;
    if (writes.empty()) {
      if (done != nullptr) std::move(done)({});
      return;
    }
    auto call = std::make_shared<Call>();
    call->results.assign(writes.size(), uint64_t{0});
    call->open = writes.size();
    call->done = std::move(done);
    call->durability = durability;
    for (size_t i = 0; i < writes.size(); ++i) Decide(Item{call, i, std::move(writes[i])});
  };
  if (somebody_waits) {
    thread_.Post(std::move(task));
  } else {
    thread_.PostLazily(std::move(task));
  }
}

void SqliteStateStore::Get(std::string bucket, std::string key, GetCallback done) {
  if (absl::Status refused = Admit(); !refused.ok()) {
    thread_.Post([done = std::move(done), refused]() mutable { std::move(done)(refused); });
    return;
  }
  thread_.Post([this, bucket = std::move(bucket), key = std::move(key), done = std::move(done)]() mutable {
    --open_calls_;
    if (absl::Status status = CheckStateKey(bucket, key); !status.ok()) return std::move(done)(status);
    const absl::StatusOr<StateRowPtr> found = Current(NameOf(bucket, key));
    if (!found.ok()) return std::move(done)(SeamStatus(found.status()));
    if (!Exists(*found, clock_.Now())) return std::move(done)(std::nullopt);
    std::move(done)(EntryOf(**found, bucket.size()));
  });
}

void SqliteStateStore::List(std::string bucket, std::string prefix, std::string after_key, size_t limit,
                            ListCallback done) {
  if (absl::Status refused = Admit(); !refused.ok()) {
    thread_.Post([done = std::move(done), refused]() mutable { std::move(done)(refused); });
    return;
  }
  thread_.Post([this, bucket = std::move(bucket), prefix = std::move(prefix), after_key = std::move(after_key), limit,
                done = std::move(done)]() mutable {
    --open_calls_;
    // Any key that a write would take; an empty one is no restriction.
    for (const std::string& key : {prefix, after_key}) {
      absl::Status status = CheckStateKey(bucket, key.empty() ? "-" : key);
      if (!status.ok()) return std::move(done)(status);
    }
    absl::StatusOr<std::vector<StateEntry>> entries = ListNow(bucket, prefix, after_key, limit);
    if (!entries.ok()) entries = SeamStatus(entries.status());
    std::move(done)(std::move(entries));
  });
}

void SqliteStateStore::Settle(std::vector<StateRowPtr> rows, absl::Status status) {
  thread_.Post([this, rows = std::move(rows), status = std::move(status)] {
    for (const StateRowPtr& row : rows) {
      if (status.ok()) reader_->Committed(row);
      SettleRow(*row, status);
    }
  });
}

void SqliteStateStore::Merged(std::vector<StateRowPtr> rows) {
  thread_.Post([this, rows = std::move(rows)] { reader_->Merged(rows); });
}

absl::Status SqliteStateStore::Admit() {
  if (closed_) return absl::UnavailableError("store: closing");
  if (open_calls_.fetch_add(1) < max_open_) return absl::OkStatus();
  --open_calls_;
  return absl::ResourceExhaustedError("store: too many reads and writes of state wait");
}

void SqliteStateStore::Decide(Item item) {
  StateWrite& write = item.write;
  if (absl::Status bad = CheckStateWrite(write); !bad.ok()) return Resolve(item, bad);
  std::string name = NameOf(write.bucket, write.key);
  auto known = keys_.find(name);
  if (known != keys_.end() && known->second.durable.has_value()) {
    known->second.waiting.push_back(std::move(item));
    return;
  }
  if (write.expected_revision.has_value()) {
    const absl::StatusOr<StateRowPtr> current = Current(name);
    if (!current.ok()) return Resolve(item, SeamStatus(current.status()));
    const uint64_t revision = Exists(*current, clock_.Now()) ? (*current)->revision : 0;
    if (revision != *write.expected_revision) {
      return Resolve(item, absl::AbortedError(absl::StrCat("state: ", name, " has revision ", revision, ", not ",
                                                           *write.expected_revision)));
    }
  }
  if (known == keys_.end()) {
    if (keys_.size() >= max_open_) {
      return Resolve(item, absl::ResourceExhaustedError("store: too many writes of state wait for the disk"));
    }
    known = keys_.try_emplace(name).first;
  }
  Key& key = known->second;
  const uint64_t revision = next_revision_++;
  const bool is_delete = !write.value.has_value();
  auto row =
      std::make_shared<const StateRow>(StateRow{std::move(name), revision, std::move(write.value), write.expires});
  // When the disk falls behind, relaxed writes wait for it too: that slows their callers, where a refusal would not.
  if (item.call->durability == Durability::kRelaxed && keys_.size() <= max_open_ / 4) {
    if (absl::Status refused = writer_.PutState(row, /*urgent=*/false); !refused.ok()) {
      if (key.IsIdle()) keys_.erase(known);
      return Resolve(item, refused);
    }
    key.visible = std::move(row);
    return Resolve(item, is_delete ? 0 : revision);
  }
  if (absl::Status refused = writer_.PutState(std::move(row), /*urgent=*/true); !refused.ok()) {
    if (key.IsIdle()) keys_.erase(known);
    return Resolve(item, refused);
  }
  key.durable = Durable{std::move(item), revision, is_delete};
}

void SqliteStateStore::Resolve(Item& item, absl::StatusOr<uint64_t> result) {
  Call& call = *item.call;
  call.results[item.index] = std::move(result);
  if (--call.open == 0 && call.done != nullptr) std::move(call.done)(std::move(call.results));
}

void SqliteStateStore::SettleRow(const StateRow& row, const absl::Status& status) {
  auto found = keys_.find(row.name);
  if (found == keys_.end()) return;
  Key& key = found->second;
  const bool is_durable = key.durable.has_value() && key.durable->revision == row.revision;
  const bool is_visible = key.visible != nullptr && key.visible->revision == row.revision;
  if (!is_durable && !is_visible) return;  // a newer one is on its way
  std::optional<Durable> settled;
  if (is_durable) settled.swap(key.durable);
  if (status.ok()) {
    key.visible.reset();  // this very row, or older than it
  } else if (key.visible != nullptr && !key.durable.has_value()) {
    // A relaxed write was answered, so it is tried until it is down; with a durable one on its way, that one decides.
    if (!writer_.PutState(key.visible, /*urgent=*/false).ok()) key.visible.reset();
  }
  std::vector<Item> waiting;
  if (settled.has_value()) waiting.swap(key.waiting);
  if (key.IsIdle()) keys_.erase(found);
  if (settled.has_value()) {
    absl::StatusOr<uint64_t> result = settled->deletes ? 0 : settled->revision;
    if (!status.ok()) result = status;
    Resolve(settled->item, std::move(result));
  }
  // The first durable one among them makes the rest wait again, in their order.
  for (Item& item : waiting) Decide(std::move(item));
}

absl::StatusOr<StateRowPtr> SqliteStateStore::Current(const std::string& name) {
  auto known = keys_.find(name);
  if (known != keys_.end() && known->second.visible != nullptr) return known->second.visible;
  const bool began = !reader_->in_transaction();
  absl::StatusOr<StateRowPtr> row = reader_->Get(name);
  // What was posted meanwhile reads in the same transaction.
  if (began && reader_->in_transaction()) thread_.Post([this] { reader_->EndTransaction(); });
  return row;
}

absl::StatusOr<std::vector<StateEntry>> SqliteStateStore::ListNow(const std::string& bucket, const std::string& prefix,
                                                                  const std::string& after_key, size_t limit) {
  const absl::Time now = clock_.Now();
  // '-' is the lowest character of a key and '\x7f' above every one.
  const std::string beginning = NameOf(bucket, prefix);
  const std::string end = absl::StrCat(beginning, "\x7f");
  const std::string first = std::max(beginning, after_key.empty() ? beginning : NameOf(bucket, after_key) + "-");
  std::vector<StateEntry> entries;
  reader_->Begin(first, end);
  auto uncommitted = keys_.lower_bound(first);
  absl::StatusOr<StateRowPtr> committed = reader_->Next();
  while (entries.size() < limit && committed.ok()) {
    while (uncommitted != keys_.end() && uncommitted->second.visible == nullptr) ++uncommitted;
    const bool has_uncommitted = uncommitted != keys_.end() && uncommitted->first < end;
    const bool has_committed = *committed != nullptr;
    if (!has_uncommitted && !has_committed) break;
    const int order = !has_committed ? -1 : !has_uncommitted ? 1 : uncommitted->first.compare((*committed)->name);
    const StateRowPtr& row = order <= 0 ? uncommitted->second.visible : *committed;
    if (Exists(row, now)) entries.push_back(EntryOf(*row, bucket.size()));
    if (order <= 0) ++uncommitted;
    if (order >= 0) committed = reader_->Next();
  }
  reader_->End();
  if (!committed.ok()) return committed.status();
  return entries;
}

}  // namespace aulm::gateway
