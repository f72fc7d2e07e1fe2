#pragma once

#include <map>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {

// One API key: what aulm says to it and whose it is.
struct ApiKey {
  enum class State { kActive, kRevoked, kExpired, kAccountDeactivated };

  std::string text;
  State state = State::kActive;
  std::string account = "default";

  // True for `alm_sk_test_…`: its sends are simulated, never billed.
  bool is_test() const;
};

// Every key that the simulator knows; all others are invalid_api_key. Starts with the built-in keys. Used by the API
// (look-ups), the command line and the control API (changes). Not thread-safe.
class ApiKeyRing {
 public:
  ApiKeyRing();

  // Adds the key or replaces what is known of it. Keys must begin `alm_sk_live_` or `alm_sk_test_`: kInvalidArgument.
  absl::Status Put(ApiKey key);

  // Null when the key is unknown. Valid until the next Put of the same key.
  const ApiKey* Find(absl::string_view text) const;

  const std::map<std::string, ApiKey, std::less<>>& keys() const { return keys_; }

 private:
  std::map<std::string, ApiKey, std::less<>> keys_;
};

// `active`, `revoked`, `expired` or `deactivated`; kInvalidArgument names these for anything else.
absl::Status ParseApiKeyState(absl::string_view word, ApiKey::State& state);
absl::string_view ApiKeyStateWord(ApiKey::State state);

// The error code that aulm gives to a key in this state; empty for an active one.
absl::string_view ApiKeyErrorCode(ApiKey::State state);

}  // namespace aulm::simulator
