#include "service/base/system_random.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdlib>
#include <string>

#include "absl/random/random.h"

namespace aulm::gateway {
namespace {

// OpenSSL's generator takes a lock and some microsecond a call, whatever it is asked for: each thread asks for many ids
// at once.
std::array<unsigned char, 16> NextBytes() {
  thread_local std::array<unsigned char, 64 * 16> stock;
  thread_local size_t used = stock.size();
  if (used == stock.size()) {
    // No entropy: no id made here could be trusted.
    if (RAND_bytes(stock.data(), static_cast<int>(stock.size())) != 1) std::abort();
    used = 0;
  }
  std::array<unsigned char, 16> bytes;
  std::copy_n(stock.begin() + static_cast<ptrdiff_t>(used), bytes.size(), bytes.begin());
  used += bytes.size();
  return bytes;
}

}  // namespace

double SystemRandom::Uniform() {
  thread_local absl::BitGen generator;
  return absl::Uniform(generator, 0.0, 1.0);
}

std::string SystemRandom::Uuid() {
  std::array<unsigned char, 16> bytes = NextBytes();
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr char kHex[] = "0123456789abcdef";
  std::string text;
  text.reserve(36);
  for (size_t i = 0; i < bytes.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) text.push_back('-');
    text.push_back(kHex[bytes[i] >> 4]);
    text.push_back(kHex[bytes[i] & 0xf]);
  }
  return text;
}

}  // namespace aulm::gateway
