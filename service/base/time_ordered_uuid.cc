#include "service/base/time_ordered_uuid.h"

#include <cstddef>
#include <cstdint>

namespace aulm::gateway {

std::string TimeOrderedUuid(absl::Time now, Random& random) {
  constexpr char kHex[] = "0123456789abcdef";
  constexpr size_t kTimeDigits[] = {0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12};
  constexpr size_t kVersionDigit = 14;
  std::string id = random.Uuid();
  const auto milliseconds = static_cast<uint64_t>(absl::ToUnixMillis(now));
  unsigned shift = 48;
  for (const size_t digit : kTimeDigits) id[digit] = kHex[(milliseconds >> (shift -= 4)) & 0xf];
  id[kVersionDigit] = '7';
  return id;
}

}  // namespace aulm::gateway
