#include "service/config/address_range.h"

#include <string>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

bool Contains(const std::string& range, const std::string& address) {
  const auto parsed = AddressRange::Parse(range);
  const auto tried = ParseIpAddress(address);
  EXPECT_TRUE(parsed.has_value()) << range;
  EXPECT_TRUE(tried.has_value()) << address;
  return parsed.has_value() && tried.has_value() && parsed->Contains(*tried);
}

TEST(AddressRangeTest, OneAddressHoldsItselfAlone) {
  EXPECT_TRUE(Contains("127.0.0.6", "127.0.0.6"));
  EXPECT_FALSE(Contains("127.0.0.6", "127.0.0.7"));
  EXPECT_TRUE(Contains("::1", "0:0::1"));
  EXPECT_FALSE(Contains("::1", "::2"));
}

TEST(AddressRangeTest, APrefixHoldsWhatSharesItsBits) {
  EXPECT_TRUE(Contains("10.1.2.0/28", "10.1.2.15"));
  EXPECT_FALSE(Contains("10.1.2.0/28", "10.1.2.16"));
  EXPECT_TRUE(Contains("10.0.0.0/8", "10.255.255.255"));
  EXPECT_TRUE(Contains("10.1.2.3/32", "10.1.2.3"));
  EXPECT_FALSE(Contains("10.1.2.3/32", "10.1.2.2"));
  EXPECT_TRUE(Contains("fd00::/63", "fd00:0:0:1::5"));
  EXPECT_FALSE(Contains("fd00::/63", "fd00:0:0:2::5"));
}

TEST(AddressRangeTest, AnIpv4AddressIsTheSameOnASocketOfIpv6) {
  EXPECT_TRUE(Contains("127.0.0.6", "::ffff:127.0.0.6"));
  EXPECT_TRUE(Contains("::ffff:127.0.0.6", "127.0.0.6"));
  EXPECT_FALSE(Contains("127.0.0.6", "::127.0.0.6"));
}

TEST(AddressRangeTest, AnythingElseIsRefused) {
  for (const std::string text : {"", "localhost", "127.0.0", "127.0.0.1/", "127.0.0.1/33", "127.0.0.1/-1", "::1/129",
                                 "127.0.0.1/8/8", "127.0.0.1/ 8", " 127.0.0.1", "[::1]", "fe80::1%eth0", "1.2.3.4:5"}) {
    EXPECT_FALSE(AddressRange::Parse(text).has_value()) << text;
  }
  EXPECT_FALSE(AddressRange::Parse(absl::string_view("127.0.0.1\0x", 11)).has_value());
}

}  // namespace
}  // namespace aulm::gateway
