#include "service/aulm/answer_headers.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"
#include "absl/time/civil_time.h"
#include "service/base/text.h"

namespace aulm::gateway {
namespace {

// The three forms of RFC 9110, "Date/Time Formats": the current one, then the obsolete ones that must be read.
std::optional<absl::Time> ParseHttpDate(absl::string_view text) {
  absl::Time time;
  for (const char* format : {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"}) {
    if (absl::ParseTime(format, text, &time, nullptr)) return time;
  }
  return std::nullopt;
}

absl::Time TimeOfAnswer(const HttpResponse& response, absl::Time now) {
  return ParseHttpDate(response.Header("date")).value_or(now);
}

// "2026-05-28T00:00:00Z" or with ".000": what aulm sends with every answer, read without absl's general parser, which
// would be among the dearest parts of a call.
std::optional<absl::Time> ParseUsualIsoTime(absl::string_view text) {
  if (text.size() != 20 && text.size() != 24) return std::nullopt;
  constexpr absl::string_view kShape = "0000-00-00T00:00:00.000Z";
  for (size_t i = 0; i < text.size(); ++i) {
    const char shape = i + 1 == text.size() ? 'Z' : kShape[i];
    if (shape == '0' ? !absl::ascii_isdigit(static_cast<unsigned char>(text[i])) : text[i] != shape) {
      return std::nullopt;
    }
  }
  const auto number = [&](size_t at, size_t digits) {
    int value = 0;
    for (size_t i = at; i < at + digits; ++i) value = 10 * value + (text[i] - '0');
    return value;
  };
  const absl::CivilSecond second(number(0, 4), number(5, 2), number(8, 2), number(11, 2), number(14, 2), number(17, 2));
  // A civil time puts the 31st of June right by itself; that is not what was said.
  if (second.month() != number(5, 2) || second.day() != number(8, 2) || second.hour() != number(11, 2) ||
      second.minute() != number(14, 2) || second.second() != number(17, 2)) {
    return std::nullopt;
  }
  const int64_t since_epoch = second - absl::CivilSecond(1970, 1, 1);
  return absl::FromUnixSeconds(since_epoch) + absl::Milliseconds(text.size() == 24 ? number(20, 3) : 0);
}

std::optional<absl::Time> ReadReset(const HttpResponse& response) {
  const absl::string_view text = response.Header("x-ratelimit-reset");
  if (const std::optional<absl::Time> usual = ParseUsualIsoTime(text); usual.has_value()) return usual;
  absl::Time time;
  if (text.empty() || !absl::ParseTime(absl::RFC3339_full, text, &time, nullptr)) return std::nullopt;
  // "infinite-past" and the like are absl's own words, not times.
  if (time == absl::InfiniteFuture() || time == absl::InfinitePast()) return std::nullopt;
  return time;
}

}  // namespace

std::optional<RateLimit> ReadRateLimit(const HttpResponse& response) {
  RateLimit limit;
  if (!absl::SimpleAtoi(response.Header("x-ratelimit-limit"), &limit.limit)) return std::nullopt;
  if (!absl::SimpleAtoi(response.Header("x-ratelimit-remaining"), &limit.remaining)) return std::nullopt;
  limit.reset = ReadReset(response);
  return limit;
}

std::optional<absl::Duration> ReadRetryAfter(const HttpResponse& response, absl::Time now) {
  const absl::string_view text = response.Header("retry-after");
  const bool is_number =
      !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return absl::ascii_isdigit(c); });
  if (is_number) {
    int64_t seconds;
    return absl::SimpleAtoi(text, &seconds) ? absl::Seconds(seconds) : absl::InfiniteDuration();  // beyond 64 bits
  }
  const std::optional<absl::Time> date = ParseHttpDate(text);
  if (!date.has_value()) return std::nullopt;
  return std::max(absl::ZeroDuration(), *date - TimeOfAnswer(response, now));
}

std::optional<absl::Duration> ReadTimeToReset(const HttpResponse& response, absl::Time now) {
  const std::optional<absl::Time> reset = ReadReset(response);
  if (!reset.has_value()) return std::nullopt;
  return std::max(absl::ZeroDuration(), *reset - TimeOfAnswer(response, now));
}

std::string ReadAulmRequestId(const HttpResponse& response, absl::string_view in_body) {
  const absl::string_view header = response.Header("x-request-id");
  if (IsPlainId(header)) return std::string(header);
  return IsPlainId(in_body) ? std::string(in_body) : "";
}

}  // namespace aulm::gateway
