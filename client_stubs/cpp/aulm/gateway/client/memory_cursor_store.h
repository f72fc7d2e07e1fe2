#pragma once

#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/client/cursor_store.h"

namespace aulm::gateway::client {

// A cursor that is gone with the process: for tests, and for following anew within one. Thread-safe.
class MemoryCursorStore : public CursorStore {
 public:
  absl::StatusOr<std::string> Load() override {
    absl::MutexLock lock(&mu_);
    return cursor_;
  }

  absl::Status Save(absl::string_view cursor) override {
    absl::MutexLock lock(&mu_);
    cursor_ = std::string(cursor);
    return absl::OkStatus();
  }

 private:
  absl::Mutex mu_;
  std::string cursor_ ABSL_GUARDED_BY(mu_);
};

}  // namespace aulm::gateway::client
