#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// One account's aulm key as it stands now.
struct ApiKey {
  std::string value;        // "alm_sk_live_…" or "alm_sk_test_…"; never logged
  uint64_t generation = 0;  // grows each time the key's file gives another key
};

// Gives the current key. Called once a call; thread-safe; must not block. Whoever watches the key's file provides it.
using ApiKeySource = std::function<ApiKey()>;

// OK for a key that aulm could know: it begins with alm_sk_live_ or alm_sk_test_, goes on, and holds visible ASCII
// only. INVALID_ARGUMENT otherwise, saying what is expected, without the key.
absl::Status CheckApiKey(absl::string_view key);

// True for keys that send for real (alm_sk_live_).
bool IsLiveKey(absl::string_view key);

}  // namespace aulm::gateway
