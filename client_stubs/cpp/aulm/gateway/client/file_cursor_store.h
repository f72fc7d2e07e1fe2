#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "aulm/gateway/client/cursor_store.h"

namespace aulm::gateway::client {

// A cursor in a file of its own, as one line of base64url. Saving writes a file beside it, syncs that and renames it
// over: a crash leaves the old cursor or the new one. One process a file.
class FileCursorStore : public CursorStore {
 public:
  // The file need not exist; its directory must. `path` + ".new" is used too.
  explicit FileCursorStore(std::string path);

  // Empty when there is no such file. DATA_LOSS when it is not a cursor's: it is left as it is, since starting
  // elsewhere would skip or repeat events unasked.
  absl::StatusOr<std::string> Load() override;

  // The system's error, naming the file, when it cannot be written.
  absl::Status Save(absl::string_view cursor) override;

 private:
  const std::string path_;
  const std::string new_path_;
};

}  // namespace aulm::gateway::client
