#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

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
class StateReader {
 public:
  // `unmerged` is StateTable::Unmerged.
  static absl::StatusOr<std::unique_ptr<StateReader>> Open(const std::string& file,
                                                           const std::vector<StateRowPtr>& unmerged);

  // The row is committed.
  void Committed(const StateRowPtr& row) { unmerged_.Add(row); }
  // These stand in the table now.
  void Merged(absl::Span<const StateRowPtr> rows);

  // The row of `name`, expired, deleted or neither; null when there is none.
  absl::StatusOr<StateRowPtr> Get(absl::string_view name);

  // Walks over the rows of one bucket from `first` on and before `end`, in the order of their names: Begin, then Next
  // until it gives null; End in any case, since a walk holds a read transaction. No other call of this meanwhile.
  void Begin(absl::string_view first, absl::string_view end);
  absl::StatusOr<StateRowPtr> Next();
  void End();

 private:
  StateReader() = default;

  // The next row of the table.
  absl::StatusOr<StateRowPtr> NextStored();

  Connection connection_;
  Statement get_, range_;
  UnmergedRows unmerged_;

  std::string first_, end_;         // what range_ is bound to
  std::vector<StateRowPtr> among_;  // unmerged_, what of it lies between them
  size_t next_unmerged_ = 0;
  absl::StatusOr<StateRowPtr> next_stored_ = StateRowPtr();
};

}  // namespace aulm::gateway
