#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// The key of the acknowledgement tokens (ack_token.h), 32 random bytes that all replicas of a store share: the one in
// the store, made by whoever is first. Blocks. Errors: the store's; UNAVAILABLE when what is there is no key.
absl::StatusOr<std::string> ReadOrMakeTokenKey(StateStore& state);

}  // namespace aulm::gateway
