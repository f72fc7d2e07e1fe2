#include "service/http/origin.h"

#include <string>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

std::string Of(const char* address) { return OriginOf(boost::asio::ip::make_address(address)); }

TEST(OriginTest, IsTheWholeOfAnIpv4Address) {
  EXPECT_EQ(Of("192.0.2.1"), Of("192.0.2.1"));
  EXPECT_NE(Of("192.0.2.1"), Of("192.0.2.2"));
  EXPECT_EQ(Of("::ffff:192.0.2.1"), Of("192.0.2.1"));
  EXPECT_NE(Of("::ffff:192.0.2.1"), Of("::ffff:192.0.2.2"));
}

TEST(OriginTest, IsTheNetworkOfAnIpv6Address) {
  EXPECT_EQ(Of("2001:db8:1:2::1"), Of("2001:db8:1:2:ffff:ffff:ffff:ffff"));
  EXPECT_NE(Of("2001:db8:1:2::1"), Of("2001:db8:1:3::1"));
}

}  // namespace
}  // namespace aulm::gateway
