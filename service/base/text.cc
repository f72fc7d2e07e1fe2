#include "service/base/text.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

constexpr absl::string_view kReplacement = "\xEF\xBF\xBD";

// What stands at the front of a text: a whole code point, or an ill-formed part to be replaced as one.
struct Step {
  size_t bytes;
  bool valid;
};

Step FirstCodePoint(absl::string_view text) {
  const auto byte = [&](size_t i) { return static_cast<uint8_t>(text[i]); };
  const uint8_t first = byte(0);
  if (first < 0x80) return {1, true};
  size_t length;
  uint8_t lowest_second = 0x80;
  uint8_t highest_second = 0xBF;
  if (first >= 0xC2 && first <= 0xDF) {
    length = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    length = 3;
    if (first == 0xE0) lowest_second = 0xA0;   // overlong
    if (first == 0xED) highest_second = 0x9F;  // surrogates
  } else if (first >= 0xF0 && first <= 0xF4) {
    length = 4;
    if (first == 0xF0) lowest_second = 0x90;   // overlong
    if (first == 0xF4) highest_second = 0x8F;  // above U+10FFFF
  } else {
    return {1, false};
  }
  for (size_t i = 1; i < length; ++i) {
    if (i >= text.size()) return {i, false};
    const uint8_t lowest = i == 1 ? lowest_second : 0x80;
    const uint8_t highest = i == 1 ? highest_second : 0xBF;
    if (byte(i) < lowest || byte(i) > highest) return {i, false};
  }
  return {length, true};
}

}  // namespace

bool IsAscii(absl::string_view text) {
  return std::none_of(text.begin(), text.end(), [](char c) { return (c & 0x80) != 0; });
}

std::optional<size_t> CountCodePoints(absl::string_view text) {
  size_t count = 0;
  while (!text.empty()) {
    const Step step = FirstCodePoint(text);
    if (!step.valid) return std::nullopt;
    text.remove_prefix(step.bytes);
    ++count;
  }
  return count;
}

std::string RepairUtf8(absl::string_view text) {
  if (IsAscii(text)) return std::string(text);  // as nearly everything is
  std::string repaired;
  repaired.reserve(text.size());
  while (!text.empty()) {
    const Step step = FirstCodePoint(text);
    absl::StrAppend(&repaired, step.valid ? text.substr(0, step.bytes) : kReplacement);
    text.remove_prefix(step.bytes);
  }
  return repaired;
}

std::string MaskPhone(absl::string_view phone) {
  if (phone.size() <= 8) return phone.empty() ? "" : "…";
  return absl::StrCat(phone.substr(0, 4), "…", phone.substr(phone.size() - 2));
}

bool IsPlainId(absl::string_view text) {
  return !text.empty() && text.size() <= 128 && std::all_of(text.begin(), text.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == ':' || c == '-';
  });
}

bool IsUuid(absl::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool is_dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (is_dash ? text[i] != '-' : !absl::ascii_isxdigit(static_cast<unsigned char>(text[i]))) return false;
  }
  return true;
}

bool IsE164(absl::string_view text) {
  if (text.size() < 8 || text.size() > 16 || text[0] != '+' || text[1] == '0') return false;
  for (const char c : text.substr(1)) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c))) return false;
  }
  return true;
}

}  // namespace aulm::gateway
