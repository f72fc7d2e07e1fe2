#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

// Whether a URL that a caller gave may be handed to aulm for fetching. Only the URL's text is judged (names are not
// resolved: aulm does that, and looks again), so that an address of our own network is never passed on by mistake.
//
// OK for https URLs with a host that is a name with a dot or a public IP address, in whatever form (decimal, octal,
// hex, short, IPv4-mapped). INVALID_ARGUMENT, saying why, for other schemes, user names in the URL, private, loopback,
// link-local, unspecified, multicast, shared and reserved addresses, `localhost`, `.local`, `.internal` and the like,
// control characters and spaces. Never blocks.
absl::Status CheckPublicHttpsUrl(absl::string_view url);

// OK for a base URL of aulm: https with any host, or plain http with a loopback address or `localhost`; no user name,
// query or fragment. INVALID_ARGUMENT, saying what is expected.
absl::Status CheckBaseUrl(absl::string_view url);

}  // namespace aulm::gateway
