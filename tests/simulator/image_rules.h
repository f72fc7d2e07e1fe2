#pragma once

#include <cstddef>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aulm::simulator {

// What aulm takes as the `image` of a send-image: a public https URL, or a base64 data URI of an image of at most
// `max_bytes` raw bytes. kInvalidArgument says what is wrong. Literal addresses and `localhost` are judged; names are
// not resolved, since the simulator reaches out to nobody.
absl::Status CheckImage(absl::string_view image, size_t max_bytes);

}  // namespace aulm::simulator
