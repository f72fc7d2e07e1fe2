#include "service/base/system_random.h"

#include <openssl/rand.h>

#include <array>
#include <cstdlib>
#include <string>

#include "absl/random/random.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace aulm::gateway {

double SystemRandom::Uniform() {
  thread_local absl::BitGen generator;
  return absl::Uniform(generator, 0.0, 1.0);
}

std::string SystemRandom::Uuid() {
  std::array<unsigned char, 16> bytes;
  if (RAND_bytes(bytes.data(), bytes.size()) != 1) std::abort();  // no entropy: no id made here could be trusted
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  const std::string hex =
      absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  const absl::string_view view = hex;
  return absl::StrCat(view.substr(0, 8), "-", view.substr(8, 4), "-", view.substr(12, 4), "-", view.substr(16, 4), "-",
                      view.substr(20));
}

}  // namespace aulm::gateway
