#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/state_row.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

// The writer's side of the state. Names are random: each put at once would dirty a page of their index of its own.
// So a commit appends all its rows as one entry to a journal, from which a start reads them again, and they stand in
// memory; when there are many, they are merged into the table in the order of names, the last of each name alone, many
// to a page. Until it was merged a row is read from memory (StateReader).
//
// Only the writer's thread uses this, and the transactions are its caller's, who says how each ended.
class StateTable {
 public:
  // Reads what was not merged: a bounded number of rows. Errors: those of SqliteStatus.
  static absl::StatusOr<std::unique_ptr<StateTable>> Open(Connection& connection);

  StateTable(const StateTable&) = delete;
  StateTable& operator=(const StateTable&) = delete;

  // Stores the rows in the running transaction, whatever was there, in their order. Those of one name must come in the
  // order in which they were decided, over all transactions.
  absl::Status Put(absl::Span<const StateRowPtr> rows);

  // Every row that is not merged, those of one name in the order in which they came.
  std::vector<StateRowPtr> Unmerged() const;

  // Whether so many rows wait that a merge should begin, or one is under way.
  bool MergeIsDue() const;

  // Does the next part of a merge, of about so many rows, beginning one where none is under way. False when there was
  // nothing to merge.
  absl::StatusOr<bool> MergeStep(size_t rows);

  // Rows that committed parts of a merge have put into the table since the last call: readers need them no longer in
  // memory.
  std::vector<StateRowPtr> TakeMerged() { return std::exchange(told_of_, {}); }

  // As DeliveryIndex::Sweep: rows of the table that expired at or before `now`.
  absl::StatusOr<bool> Sweep(absl::Time now);

  // How the transaction ended that the calls since the last of these belonged to.
  void Committed();
  void RolledBack();

 private:
  // One entry of the journal.
  struct Entry {
    int64_t id;
    size_t rows;
  };

  StateTable() = default;

  absl::Status LoadJournal(Connection& connection);
  void Remember(absl::Span<const StateRowPtr> rows);
  void BeginMerge();
  absl::Status Merge(const StateRow& row);
  absl::Status ForgetEntries(size_t most_rows);

  Statement append_, forget_, put_, delete_, after_, expire_;
  int64_t swept_ = 0;  // the last row that the sweep looked at

  std::deque<Entry> journal_;
  int64_t next_id_ = 1;
  std::vector<StateRowPtr> fresh_;  // not in the merge that is under way; in the order they came
  size_t fresh_bytes_ = 0;
  std::vector<StateRowPtr> added_;  // in the running transaction
  int64_t added_entries_ = 0;

  std::vector<StateRowPtr> merging_;  // in the order of names, one each; empty: no merge is under way
  int64_t merging_through_ = 0;       // the last entry of the journal whose rows are in it
  size_t to_merge_ = 0;               // the first that the running transaction leaves out of the table
  size_t merged_ = 0;                 // the same, as of the last transaction
  size_t forgotten_ = 0;              // entries of journal_ that the running transaction deleted
  std::vector<StateRowPtr> told_of_;  // by the next TakeMerged
};

}  // namespace aulm::gateway
