#include "client_stubs/cpp/aulmctl/terminal_text.h"

#include <cstdint>

#include "absl/strings/str_format.h"

namespace aulm::gateway::ctl {
namespace {

// U+0080…U+009F, C2 80 to C2 9F: some terminals obey them as they do escapes.
bool IsC1(absl::string_view text) {
  return text.size() >= 2 && text[0] == '\xC2' && static_cast<uint8_t>(text[1]) <= 0x9F;
}

// U+2028, U+2029 (line breaks), U+202A…U+202E and U+2066…U+2069 (direction), as the third byte after E2 80 or E2 81.
bool IsTricky(absl::string_view text) {
  if (text.size() < 3 || text[0] != '\xE2') return false;
  const auto third = static_cast<uint8_t>(text[2]);
  return (text[1] == '\x80' && third >= 0xA8 && third <= 0xAE) || (text[1] == '\x81' && third >= 0xA6 && third <= 0xA9);
}

}  // namespace

std::string OneLine(absl::string_view text) {
  std::string line;
  line.reserve(text.size());
  while (!text.empty()) {
    const auto byte = static_cast<uint8_t>(text[0]);
    size_t taken = 1;
    if (byte == '\n') {
      line += "\\n";
    } else if (byte == '\t') {
      line += "\\t";
    } else if (byte == '\r') {
      line += "\\r";
    } else if (byte < 0x20 || byte == 0x7F) {
      absl::StrAppendFormat(&line, "\\x%02x", byte);
    } else if (IsC1(text)) {
      absl::StrAppendFormat(&line, "\\x%02x", static_cast<uint8_t>(text[1]));
      taken = 2;
    } else if (IsTricky(text)) {
      const int code = 0x2000 + ((static_cast<uint8_t>(text[1]) & 0x3F) << 6) + (static_cast<uint8_t>(text[2]) & 0x3F);
      absl::StrAppendFormat(&line, "\\u%04x", code);
      taken = 3;
    } else {
      line += text[0];
    }
    text.remove_prefix(taken);
  }
  return line;
}

std::string TimeText(const google::protobuf::Timestamp& time) {
  if (time.seconds() == 0 && time.nanos() == 0) return "-";
  const absl::Time moment = absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos());
  return absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", moment, absl::UTCTimeZone());
}

std::string DurationText(absl::Duration duration) {
  const absl::Duration unit = duration < absl::Seconds(10) ? absl::Milliseconds(100) : absl::Seconds(1);
  return absl::FormatDuration(absl::Ceil(duration, unit));
}

std::string SizeText(size_t bytes) {
  if (bytes < 1000) return absl::StrFormat("%d bytes", bytes);
  if (bytes < 1'000'000) return absl::StrFormat("%.1f kB", static_cast<double>(bytes) / 1e3);
  return absl::StrFormat("%.1f MB", static_cast<double>(bytes) / 1e6);
}

}  // namespace aulm::gateway::ctl
