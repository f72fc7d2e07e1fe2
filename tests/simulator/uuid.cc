#include "tests/simulator/uuid.h"

#include <cstdint>
#include <random>

#include "absl/strings/string_view.h"

namespace aulm::simulator {
namespace {

uint64_t NextRandom() {
  thread_local std::mt19937_64 engine = [] {
    std::random_device device;
    std::seed_seq seed{device(), device(), device(), device()};
    return std::mt19937_64(seed);
  }();
  return engine();
}

// Appends the lowest `digits` hex digits of `value`, the highest first.
void AppendHex(uint64_t value, int digits, const char* alphabet, std::string& out) {
  for (int shift = 4 * (digits - 1); shift >= 0; shift -= 4) out.push_back(alphabet[(value >> shift) & 0xF]);
}

bool IsHexDigit(char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); }

}  // namespace

std::string NewUuid() {
  constexpr char kLower[] = "0123456789abcdef";
  const uint64_t high = NextRandom();
  const uint64_t low = NextRandom();
  std::string uuid;
  uuid.reserve(36);
  AppendHex(high >> 32, 8, kLower, uuid);
  uuid.push_back('-');
  AppendHex(high >> 16, 4, kLower, uuid);
  uuid.append("-4");  // version 4
  AppendHex(high, 3, kLower, uuid);
  uuid.push_back('-');
  AppendHex(0x8 | ((low >> 60) & 0x3), 1, kLower, uuid);  // RFC 4122 variant
  AppendHex(low >> 48, 3, kLower, uuid);
  uuid.push_back('-');
  AppendHex(low, 12, kLower, uuid);
  return uuid;
}

std::string NewEngineMessageId() {
  std::string id = "3EB0";
  AppendHex(NextRandom(), 16, "0123456789ABCDEF", id);
  return id;
}

bool IsUuid(absl::string_view text) {
  if (text.size() != 36) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash ? text[i] != '-' : !IsHexDigit(text[i])) return false;
  }
  return true;
}

}  // namespace aulm::simulator
