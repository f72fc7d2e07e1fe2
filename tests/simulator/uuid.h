#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// A random version 4 UUID in lower case. Never seeded: a restarted simulator must not repeat the ids of the last run,
// which a client would rightly take for duplicates. Thread-safe.
std::string NewUuid();

// An id as the engine behind a live key gives them: `3EB0` and 16 hex digits. Thread-safe.
std::string NewEngineMessageId();

// True for 8-4-4-4-12 hex digits, in either case and of any version.
bool IsUuid(absl::string_view text);

}  // namespace aulm::simulator
