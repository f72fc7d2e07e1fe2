#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// An IP address: IPv4 ones as IPv6 has them, ::ffff:a.b.c.d, so that a socket of either family tells the same one.
using IpAddress = std::array<uint8_t, 16>;

// Reads "10.0.0.1" or "fd00::1", without brackets or zone; nullopt for anything else.
std::optional<IpAddress> ParseIpAddress(absl::string_view text);

// One address, or all that share a prefix with it.
class AddressRange {
 public:
  // Reads an address or one with a prefix length, "10.0.0.0/8", "fd00::/64"; nullopt for anything else.
  static std::optional<AddressRange> Parse(absl::string_view text);

  bool Contains(const IpAddress& address) const;

  // How many of the 128 bits are given; 96 more than written for IPv4.
  int prefix_bits() const { return prefix_bits_; }

  // As it was written.
  const std::string& ToString() const { return text_; }

 private:
  AddressRange(const IpAddress& address, int prefix_bits, absl::string_view text)
      : address_(address), prefix_bits_(prefix_bits), text_(text) {}

  IpAddress address_;
  int prefix_bits_;
  std::string text_;
};

}  // namespace aulm::gateway
