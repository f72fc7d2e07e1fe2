#include "service/config/json_duration.h"

#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace aulm::gateway {

std::string ToJsonDuration(absl::Duration duration) {
  const bool is_negative = duration < absl::ZeroDuration();
  if (is_negative) duration = -duration;
  const int64_t seconds = absl::IDivDuration(duration, absl::Seconds(1), &duration);
  std::string decimals = absl::StrFormat(".%09d", absl::ToInt64Nanoseconds(duration));
  while (decimals.back() == '0') decimals.pop_back();
  if (decimals == ".") decimals.clear();
  return absl::StrCat(is_negative ? "-" : "", seconds, decimals, "s");
}

}  // namespace aulm::gateway
