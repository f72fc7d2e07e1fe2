// Bytes from a caller as an ack token: nothing but what Encode made for this very subscription is read. The bytes are
// also taken as a token's contents, and as a change to a true token: what is made is read back the same, is short, fits
// no other subscription and no other key, and does not survive a flipped byte.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "service/events/subscriptions/ack_token.h"

namespace {

using aulm::gateway::AckToken;
using aulm::gateway::AckTokens;

constexpr size_t kFields = 8 + 8 + 8 + 4;

void Check(bool holds) {
  if (!holds) abort();
}

bool Same(const AckToken& a, const AckToken& b) {
  return a.epoch == b.epoch && a.delivery == b.delivery && a.sequence == b.sequence && a.attempt == b.attempt;
}

AckToken TokenOf(const uint8_t* data) {
  AckToken token;
  std::memcpy(&token.epoch, data, 8);
  std::memcpy(&token.delivery, data + 8, 8);
  std::memcpy(&token.sequence, data + 16, 8);
  std::memcpy(&token.attempt, data + 24, 4);
  return token;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const AckTokens& tokens = *new AckTokens(std::string(32, 'k'));
  static const AckTokens& others = *new AckTokens(std::string(32, 'o'));
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);

  if (const auto token = tokens.Decode("bot", bytes)) Check(tokens.Encode("bot", *token) == bytes);
  if (size < kFields) return 0;

  const AckToken token = TokenOf(data);
  const std::string made = tokens.Encode("bot", token);
  Check(made.size() <= 64);
  const auto again = tokens.Decode("bot", made);
  Check(again.has_value() && Same(*again, token));
  Check(!tokens.Decode("bo", made).has_value());
  Check(!tokens.Decode("bots", made).has_value());
  Check(!others.Decode("bot", made).has_value());
  for (size_t i = kFields; i + 1 < size; i += 2) {
    std::string changed = made;
    changed[data[i] % changed.size()] ^= static_cast<char>(data[i + 1]);
    Check(changed == made || !tokens.Decode("bot", changed).has_value());
  }
  return 0;
}
