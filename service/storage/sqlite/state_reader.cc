#include "service/storage/sqlite/state_reader.h"

#include <utility>

namespace aulm::gateway {
namespace {

// As many as may be looked for before the first of them is written.
constexpr size_t kMostAbsent = 4096;

StateRowPtr RowOf(const Statement& statement, std::string name) {
  auto row = std::make_shared<StateRow>();
  row->name = std::move(name);
  row->expires = StateTime(statement.Integer(0));
  row->revision = static_cast<uint64_t>(statement.Integer(1));
  row->value = std::string(statement.Bytes(2));
  return row;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateReader>> StateReader::Open(const std::string& file,
                                                               const std::vector<StateRowPtr>& unmerged) {
  absl::StatusOr<Connection> connection = Connection::Open(file, Connection::Use::kReader);
  if (!connection.ok()) return connection.status();
  std::unique_ptr<StateReader> reader(new StateReader);
  reader->connection_ = *std::move(connection);
  absl::Status status = reader->connection_.Prepare({
      {&reader->begin_, "BEGIN"},
      {&reader->commit_, "COMMIT"},
      {&reader->get_, "SELECT expires_ms, revision, value FROM state WHERE name = ?1"},
      {&reader->range_,
       "SELECT expires_ms, revision, value, name FROM state WHERE name >= ?1 AND name < ?2 ORDER BY name"},
  });
  if (!status.ok()) return status;
  for (const StateRowPtr& row : unmerged) reader->unmerged_.Add(row);
  return reader;
}

void StateReader::Merged(absl::Span<const StateRowPtr> rows) {
  EndTransaction();
  for (const StateRowPtr& row : rows) {
    unmerged_.Drop(*row);
    absent_.erase(row->name);
  }
}

absl::StatusOr<StateRowPtr> StateReader::Get(absl::string_view name) {
  if (StateRowPtr row = unmerged_.Find(name); row != nullptr) return row;
  if (absent_.contains(name)) return StateRowPtr();
  absl::StatusOr<StateRowPtr> row = GetFromTable(name);
  if (!row.ok()) {
    EndTransaction();
  } else if (*row == nullptr) {
    if (absent_.size() >= kMostAbsent) absent_.clear();
    absent_.emplace(name);
  }
  return row;
}

void StateReader::EndTransaction() {
  if (!std::exchange(in_transaction_, false)) return;
  if (!commit_.Run().ok()) connection_.RollBack();  // else no other could ever begin
}

absl::StatusOr<StateRowPtr> StateReader::GetFromTable(absl::string_view name) {
  if (!in_transaction_) {
    if (absl::Status begun = begin_.Run(); !begun.ok()) return begun;
    in_transaction_ = true;
  }
  ResetAtEnd reset(get_);
  absl::StatusOr<bool> row = get_.BindText(1, name).Step();
  if (!row.ok()) return row.status();
  if (!*row) return StateRowPtr();
  return RowOf(get_, std::string(name));
}

void StateReader::Begin(absl::string_view first, absl::string_view end) {
  first_ = std::string(first);
  end_ = std::string(end);
  range_.BindText(1, first_).BindText(2, end_);
  among_ = unmerged_.List(first_, end_);
  next_unmerged_ = 0;
  next_stored_ = NextStored();
}

absl::StatusOr<StateRowPtr> StateReader::NextStored() {
  absl::StatusOr<bool> row = range_.Step();
  if (!row.ok()) return row.status();
  if (!*row) return StateRowPtr();
  return RowOf(range_, std::string(range_.Bytes(3)));
}

absl::StatusOr<StateRowPtr> StateReader::Next() {
  if (!next_stored_.ok()) return next_stored_;
  const StateRowPtr& stored = *next_stored_;
  StateRowPtr unmerged = next_unmerged_ < among_.size() ? among_[next_unmerged_] : nullptr;
  const int order = unmerged == nullptr ? 1 : stored == nullptr ? -1 : unmerged->name.compare(stored->name);
  if (order > 0) return stored == nullptr ? stored : std::exchange(next_stored_, NextStored());
  if (order == 0) next_stored_ = NextStored();
  ++next_unmerged_;
  return unmerged;
}

void StateReader::End() { range_.Reset(); }

}  // namespace aulm::gateway
