#include "service/base/utc_text.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"

namespace aulm::gateway {
namespace {

void Put(int64_t value, size_t at, size_t digits, std::string& text) {
  for (size_t i = at + digits; i > at; value /= 10) text[--i] = static_cast<char>('0' + value % 10);
}

void PutSeconds(absl::Time time, std::string& text) {
  const absl::CivilSecond second = absl::ToCivilSecond(time, absl::UTCTimeZone());
  Put(second.year(), 0, 4, text);
  Put(second.month(), 5, 2, text);
  Put(second.day(), 8, 2, text);
  Put(second.hour(), 11, 2, text);
  Put(second.minute(), 14, 2, text);
  Put(second.second(), 17, 2, text);
}

}  // namespace

std::string UtcSeconds(absl::Time time) {
  std::string text = "0000-00-00T00:00:00Z";
  PutSeconds(time, text);
  return text;
}

std::string UtcMilliseconds(absl::Time time) {
  std::string text = "0000-00-00T00:00:00.000Z";
  PutSeconds(time, text);
  const int64_t milliseconds = absl::ToUnixMillis(time) % 1000;
  Put(milliseconds < 0 ? milliseconds + 1000 : milliseconds, 20, 3, text);
  return text;
}

}  // namespace aulm::gateway
