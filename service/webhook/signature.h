#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// An HMAC-SHA256.
using SignatureDigest = std::array<uint8_t, 32>;

// The digest of an x-aulm-signature header, "sha256=" and 64 hexadecimal digits of either case; nullopt when it is
// anything else.
std::optional<SignatureDigest> ParseSignature(absl::string_view header);

// True when both are the same. Takes the same time wherever they differ.
bool SameDigest(const SignatureDigest& a, const SignatureDigest& b);

}  // namespace aulm::gateway
