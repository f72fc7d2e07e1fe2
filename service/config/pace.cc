#include "service/config/pace.h"

#include <algorithm>

#include "absl/strings/ascii.h"

namespace aulm::gateway {

int64_t Pace::LimitOf(absl::CivilDay day) const {
  if (!active_since.has_value()) return daily_limit;
  const int64_t age = std::max<int64_t>(day - *active_since, 0);  // 0 on the first day
  if (age >= warm_up.days) return daily_limit;
  const int64_t steps = std::max(warm_up.days - 1, 1);
  const int64_t ramp = warm_up.first_day_limit + (warm_up.last_day_limit - warm_up.first_day_limit) * age / steps;
  return daily_limit == 0 ? ramp : std::min(ramp, daily_limit);
}

const Pace& Paces::Of(absl::string_view session_id) const {
  if (by_session.empty()) return general;
  const auto own = by_session.find(absl::AsciiStrToLower(session_id));
  return own == by_session.end() ? general : own->second;
}

}  // namespace aulm::gateway
