#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// What a token says about the delivery that it settles.
struct AckToken {
  uint64_t epoch = 0;     // of the subscription's owner: another one's deliveries are over
  uint64_t delivery = 0;  // Handout::delivery
  uint64_t sequence = 0;
  uint32_t attempt = 0;
};

// Makes and reads the opaque tokens of deliveries: a version, the fields as varints, and 16 bytes of HMAC-SHA256 over
// them and the subscription's id, so that no client can make one and none fits another subscription. Immutable, so
// thread-safe.
class AckTokens {
 public:
  // `key`: 32 secret bytes, the same on every replica.
  explicit AckTokens(std::string key) : key_(std::move(key)) {}

  // At most 64 bytes.
  std::string Encode(absl::string_view subscription_id, const AckToken& token) const;

  // Nullopt for anything that Encode did not make for this subscription.
  std::optional<AckToken> Decode(absl::string_view subscription_id, absl::string_view bytes) const;

 private:
  std::string Mac(absl::string_view subscription_id, absl::string_view fields) const;

  const std::string key_;
};

}  // namespace aulm::gateway
