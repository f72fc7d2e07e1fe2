#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/aulm/aulm_client.h"

namespace aulm::gateway {

// The aulm accounts and which of them owns a session. Made at start, then constant; thread-safe.
class AccountDirectory {
 public:
  // Takes an account and the sessions (UUIDs) that the configuration gives to it; only at start.
  void Add(std::unique_ptr<AulmClient> client, const std::vector<std::string>& session_ids);

  // The account of a session, matched whatever the case of its letters: the one that lists it; else the only account
  // there is; else INVALID_ARGUMENT naming `session_id` and the setting that is missing. Lives as long as this.
  absl::StatusOr<AulmClient*> ForSession(absl::string_view session_id) const;

  // The account of that name; null when there is none. Lives as long as this.
  AulmClient* Find(absl::string_view account) const;

 private:
  std::vector<std::unique_ptr<AulmClient>> clients_;
  absl::flat_hash_map<std::string, AulmClient*> by_session_;  // keys in lower case
};

}  // namespace aulm::gateway
