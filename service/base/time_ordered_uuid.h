#pragma once

#include <string>

#include "absl/time/time.h"
#include "service/base/random.h"

namespace aulm::gateway {

// A UUID that begins with the milliseconds of `now` and goes on by chance (version 7 of RFC 9562, lower case): ids of
// one moment stand together wherever they are kept in order, so that a store writes few pages for many of them. Nobody
// can guess one; anybody can read when it was made.
std::string TimeOrderedUuid(absl::Time now, Random& random);

}  // namespace aulm::gateway
