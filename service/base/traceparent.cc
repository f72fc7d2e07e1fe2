#include "service/base/traceparent.h"

#include <algorithm>
#include <cstddef>

namespace aulm::gateway {
namespace {

constexpr size_t kSize = 55;
constexpr size_t kLongest = 128;

bool IsLowerHex(absl::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

bool IsId(absl::string_view text) {
  return IsLowerHex(text) && !std::all_of(text.begin(), text.end(), [](char c) { return c == '0'; });
}

}  // namespace

bool IsTraceparent(absl::string_view text) {
  if (text.size() < kSize || text.size() > kLongest) return false;
  if (text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const absl::string_view version = text.substr(0, 2);
  if (!IsLowerHex(version) || version == "ff") return false;
  if (!IsId(text.substr(3, 32)) || !IsId(text.substr(36, 16)) || !IsLowerHex(text.substr(53, 2))) return false;
  if (text.size() == kSize) return true;
  // The rest must be printable: it goes back out in headers.
  return version != "00" && text[kSize] == '-' &&
         std::all_of(text.begin() + kSize, text.end(), [](char c) { return c > ' ' && c < 0x7f; });
}

absl::string_view TraceIdOf(absl::string_view text) {
  return IsTraceparent(text) ? text.substr(3, 32) : absl::string_view();
}

}  // namespace aulm::gateway
