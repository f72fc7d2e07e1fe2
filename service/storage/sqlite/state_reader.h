#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/storage/sqlite/connection.h"
#include "service/storage/sqlite/state_table.h"
#include "service/storage/sqlite/statement.h"

namespace aulm::gateway {

// Reads the committed state on a connection of its own, row by row. Used by one thread at a time. Errors: those of
// SqliteStatus.
class StateReader {
 public:
  static absl::StatusOr<std::unique_ptr<StateReader>> Open(const std::string& file);

  // The row of `name`, expired or not; one without a value when there is none.
  absl::StatusOr<StateRow> Get(absl::string_view name);

  // Walks over the rows from `first` on and before `end`, in the order of their names: Begin, then Next until it gives
  // a row without a value; End in any case, since a walk holds a read transaction.
  void Begin(absl::string_view first, absl::string_view end);
  absl::StatusOr<StateRow> Next();
  void End();

 private:
  StateReader() = default;

  Connection connection_;
  Statement get_, range_;
  std::string first_, end_;  // what range_ is bound to
};

}  // namespace aulm::gateway
