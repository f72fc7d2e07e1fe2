#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway::client {

// Where a follower keeps its position, so that its process can be restarted: a file (FileCursorStore), or whatever the
// application writes its results to. Called by one thread at a time. What it fails with ends the following: a store
// that is worth another try makes that by itself.
class CursorStore {
 public:
  virtual ~CursorStore() = default;

  // The cursor that was saved last; an empty string when none ever was. May block.
  virtual absl::StatusOr<std::string> Load() = 0;

  // Keeps `cursor` (opaque bytes, under 1 KiB) in place of the last one, all of it or nothing. May block.
  virtual absl::Status Save(absl::string_view cursor) = 0;
};

}  // namespace aulm::gateway::client
