#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// The limits of state_store.h, the same on every engine.
inline constexpr size_t kMaxStateKeyBytes = 512;
inline constexpr size_t kMaxStateValueBytes = 64 << 10;

// INVALID_ARGUMENT naming what is wrong with a bucket or key.
absl::Status CheckStateKey(absl::string_view bucket, absl::string_view key);

// The same, of everything in a write.
absl::Status CheckStateWrite(const StateWrite& write);

}  // namespace aulm::gateway
