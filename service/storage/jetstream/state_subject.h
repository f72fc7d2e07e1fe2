#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// How a key of the state store (state_key.h) stands in a subject, below its bucket's: the parts between slashes are the
// tokens, so that everything below a slash can be asked for at once; a dot in a key is a slash in its token, and an
// empty part is "~". Nothing else changes, and every key has a subject of its own.
std::string StateSubjectOfKey(absl::string_view key);

// The other way. `tokens` is what StateSubjectOfKey made.
std::string KeyOfStateSubject(absl::string_view tokens);

// The wildcard below the bucket's subject that covers every key that begins with `prefix`, and maybe more: ">" or
// "a.b.>".
std::string StateWildcardOfPrefix(absl::string_view prefix);

}  // namespace aulm::gateway
