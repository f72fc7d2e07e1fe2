#include "service/config/address_range.h"

#include <arpa/inet.h>

#include <algorithm>
#include <cstring>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"

namespace aulm::gateway {
namespace {

constexpr int kMappedBits = 96;
constexpr size_t kLongest = INET6_ADDRSTRLEN;

}  // namespace

std::optional<IpAddress> ParseIpAddress(absl::string_view text) {
  // inet_pton would stop at a NUL and never see the rest.
  if (text.size() > kLongest || absl::StrContains(text, '\0')) return std::nullopt;
  const std::string terminated(text);
  IpAddress address{};
  if (inet_pton(AF_INET6, terminated.c_str(), address.data()) == 1) return address;
  address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
  if (inet_pton(AF_INET, terminated.c_str(), address.data() + 12) == 1) return address;
  return std::nullopt;
}

std::optional<AddressRange> AddressRange::Parse(absl::string_view text) {
  const size_t slash = text.find('/');
  const absl::string_view written = text.substr(0, slash);
  const auto address = ParseIpAddress(written);
  if (!address.has_value()) return std::nullopt;
  if (slash == absl::string_view::npos) return AddressRange(*address, 128, text);
  const absl::string_view length = text.substr(slash + 1);
  int bits = 0;
  if (length.empty() || length.size() > 3 || !std::all_of(length.begin(), length.end(), absl::ascii_isdigit) ||
      !absl::SimpleAtoi(length, &bits)) {
    return std::nullopt;
  }
  if (!absl::StrContains(written, ':')) bits += kMappedBits;
  if (bits > 128) return std::nullopt;
  return AddressRange(*address, bits, text);
}

bool AddressRange::Contains(const IpAddress& address) const {
  const auto whole = static_cast<size_t>(prefix_bits_ / 8);
  if (std::memcmp(address_.data(), address.data(), whole) != 0) return false;
  const int rest = prefix_bits_ % 8;
  if (rest == 0) return true;
  const auto mask = static_cast<uint8_t>(0xff << (8 - rest));
  return (address_[whole] & mask) == (address[whole] & mask);
}

}  // namespace aulm::gateway
