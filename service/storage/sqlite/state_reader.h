#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/state_row.h"
#include "service/storage/sqlite/statement.h"
#include "service/storage/sqlite/unmerged_rows.h"

namespace aulm::gateway {

// Reads the committed state, row by row: what is not merged yet from memory, the rest from the table, on a connection
// of its own. Whoever owns it tells it what was committed and what was merged. Used by one thread at a time. Errors:
// those of SqliteStatus.
//
// The table changes with merges alone, so that reads between two of them may share one look at it: SQLite throws the
// pages that it knows away whenever anything was committed since its last transaction.
class StateReader {
 public:
  // `unmerged` is StateTable::Unmerged.
  static absl::StatusOr<std::unique_ptr<StateReader>> Open(const std::string& file,
                                                           const std::vector<StateRowPtr>& unmerged);

  // The row is committed.
  void Committed(const StateRowPtr& row) { unmerged_.Add(row); }
  // These stand in the table now.
  void Merged(absl::Span<const StateRowPtr> rows);

  // The row of `name`, expired, deleted or neither; null when there is none. May leave a read transaction open.
  absl::StatusOr<StateRowPtr> Get(absl::string_view name);

  // Ends the transaction that reads left open, if any. While there is one, the write-ahead log cannot begin anew.
  void EndTransaction();
  bool in_transaction() const { return in_transaction_; }

  // Walks over the rows of one bucket from `first` on and before `end`, in the order of their names: Begin, then Next
  // until it gives null; End in any case, since a walk holds a read transaction. No other call of this meanwhile.
  void Begin(absl::string_view first, absl::string_view end);
  absl::StatusOr<StateRowPtr> Next();
  void End();

 private:
  StateReader() = default;

  absl::StatusOr<StateRowPtr> GetFromTable(absl::string_view name);
  // The next row of the table.
  absl::StatusOr<StateRowPtr> NextStored();

  Connection connection_;
  Statement begin_, commit_, get_, range_;
  bool in_transaction_ = false;
  UnmergedRows unmerged_;
  // Names that the table does not have: who looks for one in vain is mostly about to write it, and looks once more.
  absl::flat_hash_set<std::string> absent_;

  std::string first_, end_;         // what range_ is bound to
  std::vector<StateRowPtr> among_;  // unmerged_, what of it lies between them
  size_t next_unmerged_ = 0;
  absl::StatusOr<StateRowPtr> next_stored_ = StateRowPtr();
};

}  // namespace aulm::gateway
