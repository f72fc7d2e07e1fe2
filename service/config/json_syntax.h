#pragma once

#include "absl/strings/string_view.h"
#include "service/config/problems.h"

namespace aulm::gateway {

// Looks whether `text` is one JSON object with no key given twice in an object, and adds a problem otherwise: a syntax
// error with its line and column under the name `file`, a doubled key with its path. At most 32 levels deep. True when
// no problem was added.
bool CheckJsonSyntax(absl::string_view file, absl::string_view text, Problems& problems);

}  // namespace aulm::gateway
