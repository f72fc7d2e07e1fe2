#include "service/aulm/answer_headers.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/string_view.h"

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

std::optional<absl::Time> ReadReset(const HttpResponse& response) {
  const absl::string_view text = response.Header("x-ratelimit-reset");
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

}  // namespace aulm::gateway
