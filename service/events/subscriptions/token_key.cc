#include "service/events/subscriptions/token_key.h"

#include <openssl/rand.h>

#include <cstddef>
#include <cstdlib>
#include <optional>

#include "absl/status/status.h"
#include "service/events/subscriptions/blocking_state.h"

namespace aulm::gateway {
namespace {

constexpr char kKeys[] = "subscription_keys";
constexpr char kTokenKey[] = "ack_tokens";
constexpr size_t kKeyBytes = 32;

}  // namespace

absl::StatusOr<std::string> ReadOrMakeTokenKey(StateStore& state) {
  absl::StatusOr<std::optional<StateEntry>> stored = GetNow(state, kKeys, kTokenKey);
  if (stored.ok() && !stored->has_value()) {
    std::string key(kKeyBytes, '\0');
    if (RAND_bytes(reinterpret_cast<unsigned char*>(key.data()), static_cast<int>(key.size())) != 1) std::abort();
    // Whoever is first makes it; the others read it.
    WriteNow(state, {{kKeys, kTokenKey, key, 0}});
    stored = GetNow(state, kKeys, kTokenKey);
  }
  if (!stored.ok()) return stored.status();
  if (!stored->has_value() || (*stored)->value.size() != kKeyBytes) {
    return absl::UnavailableError("the key of the acknowledgement tokens is not there");
  }
  return (*stored)->value;
}

}  // namespace aulm::gateway
