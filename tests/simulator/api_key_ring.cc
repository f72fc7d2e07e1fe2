#include "tests/simulator/api_key_ring.h"

#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {
namespace {

using State = ApiKey::State;

struct StateRow {
  State state;
  absl::string_view word;
  absl::string_view error_code;
};

constexpr StateRow kStates[] = {
    {State::kActive, "active", ""},
    {State::kRevoked, "revoked", "api_key_revoked"},
    {State::kExpired, "expired", "api_key_expired"},
    {State::kAccountDeactivated, "deactivated", "account_deactivated"},
};

const StateRow& RowOf(State state) {
  for (const StateRow& row : kStates) {
    if (row.state == state) return row;
  }
  return kStates[0];
}

}  // namespace

bool ApiKey::is_test() const { return absl::StartsWith(text, "alm_sk_test_"); }

ApiKeyRing::ApiKeyRing() {
  for (absl::string_view kind : {"alm_sk_live_", "alm_sk_test_"}) {
    for (const ApiKey& key : {
             ApiKey{absl::StrCat(kind, "simulator"), State::kActive, "default"},
             ApiKey{absl::StrCat(kind, "revoked"), State::kRevoked, "default"},
             ApiKey{absl::StrCat(kind, "expired"), State::kExpired, "default"},
             ApiKey{absl::StrCat(kind, "deactivated"), State::kAccountDeactivated, "default"},
             ApiKey{absl::StrCat(kind, "second"), State::kActive, "second"},
         }) {
      keys_[key.text] = key;
    }
  }
}

absl::Status ApiKeyRing::Put(ApiKey key) {
  if (!absl::StartsWith(key.text, "alm_sk_live_") && !absl::StartsWith(key.text, "alm_sk_test_")) {
    return absl::InvalidArgumentError("an API key begins with alm_sk_live_ or alm_sk_test_");
  }
  std::string text = key.text;
  keys_[std::move(text)] = std::move(key);
  return absl::OkStatus();
}

const ApiKey* ApiKeyRing::Find(absl::string_view text) const {
  const auto it = keys_.find(text);
  return it == keys_.end() ? nullptr : &it->second;
}

absl::Status ParseApiKeyState(absl::string_view word, ApiKey::State& state) {
  for (const StateRow& row : kStates) {
    if (row.word == word) {
      state = row.state;
      return absl::OkStatus();
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("key state '", word, "' is not one of: active, revoked, expired, deactivated"));
}

absl::string_view ApiKeyStateWord(ApiKey::State state) { return RowOf(state).word; }

absl::string_view ApiKeyErrorCode(ApiKey::State state) { return RowOf(state).error_code; }

}  // namespace aulm::simulator
