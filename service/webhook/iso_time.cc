#include "service/webhook/iso_time.h"

#include <cstddef>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/time/civil_time.h"

namespace aulm::gateway {
namespace {

constexpr size_t kMostFractionDigits = 30;
constexpr int64_t kFirstSecond = -62135596800;  // of year 1
constexpr int64_t kLastSecond = 253402300799;   // of year 9999

// Takes exactly `digits` digits off the front of `text`.
bool TakeNumber(absl::string_view& text, size_t digits, int& number) {
  if (text.size() < digits) return false;
  number = 0;
  for (size_t i = 0; i < digits; ++i) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(text[i]))) return false;
    number = number * 10 + (text[i] - '0');
  }
  text.remove_prefix(digits);
  return true;
}

bool TakeByte(absl::string_view& text, char byte) {
  if (text.empty() || absl::ascii_toupper(static_cast<unsigned char>(text[0])) != byte) return false;
  text.remove_prefix(1);
  return true;
}

// ".123": nanoseconds, finer digits cut off. True also when there is no fraction.
bool TakeFraction(absl::string_view& text, int64_t& nanoseconds) {
  nanoseconds = 0;
  if (!TakeByte(text, '.')) return true;
  size_t digits = 0;
  int64_t unit = 100'000'000;
  for (; digits < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[digits])); ++digits) {
    nanoseconds += (text[digits] - '0') * unit;
    unit /= 10;
  }
  text.remove_prefix(digits);
  return digits > 0 && digits <= kMostFractionDigits;
}

// "Z", "+03:00" or "-0330": seconds east of UTC.
bool TakeZone(absl::string_view& text, int& offset) {
  offset = 0;
  if (TakeByte(text, 'Z')) return true;
  int sign = 0;
  if (TakeByte(text, '+')) {
    sign = 1;
  } else if (TakeByte(text, '-')) {
    sign = -1;
  } else {
    return false;
  }
  int hours = 0;
  int minutes = 0;
  if (!TakeNumber(text, 2, hours)) return false;
  TakeByte(text, ':');
  if (!TakeNumber(text, 2, minutes) || hours > 23 || minutes > 59) return false;
  offset = sign * (hours * 3600 + minutes * 60);
  return true;
}

}  // namespace

std::optional<absl::Time> ParseIsoTime(absl::string_view text) {
  int year, month, day, hour, minute, second, offset;
  int64_t nanoseconds;
  const bool well_formed = TakeNumber(text, 4, year) && TakeByte(text, '-') && TakeNumber(text, 2, month) &&
                           TakeByte(text, '-') && TakeNumber(text, 2, day) && TakeByte(text, 'T') &&
                           TakeNumber(text, 2, hour) && TakeByte(text, ':') && TakeNumber(text, 2, minute) &&
                           TakeByte(text, ':') && TakeNumber(text, 2, second) && TakeFraction(text, nanoseconds) &&
                           TakeZone(text, offset) && text.empty();
  // 60 is a leap second, which the next minute's first stands for.
  if (!well_formed || hour > 23 || minute > 59 || second > 60) return std::nullopt;
  const absl::CivilDay civil_day(year, month, day);
  if (civil_day.month() != month || civil_day.day() != day) return std::nullopt;
  const int64_t days = civil_day - absl::CivilDay(1970, 1, 1);
  const int64_t seconds = days * 86400 + hour * 3600 + minute * 60 + second - offset;
  if (seconds < kFirstSecond || seconds > kLastSecond) return std::nullopt;
  return absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanoseconds);
}

}  // namespace aulm::gateway
