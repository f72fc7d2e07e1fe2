#include "service/config/listen_address.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

TEST(ListenAddressTest, ReadsWhatItWrites) {
  for (const std::string text : {"127.0.0.1:8080", "[::1]:0", "localhost:65535", "gateway.internal:1", "a-b.c:9090",
                                 "0.0.0.0:50051", "[::]:50051", "[::ffff:10.0.0.1]:1"}) {
    const auto address = ParseListenAddress(text);
    ASSERT_TRUE(address.ok()) << text << ": " << address.status();
    EXPECT_EQ(ToString(*address), text);
  }
}

TEST(ListenAddressTest, SplitsHostAndPort) {
  EXPECT_EQ(*ParseListenAddress("[::1]:443"), (ListenAddress{"::1", 443}));
  EXPECT_EQ(*ParseListenAddress("LocalHost:443"), (ListenAddress{"localhost", 443}));
}

TEST(ListenAddressTest, RefusesWhatIsNone) {
  const std::vector<std::string> bad = {"",
                                        ":",
                                        "8080",
                                        ":8080",
                                        "127.0.0.1",
                                        "127.0.0.1:",
                                        "127.0.0.1:x",
                                        "127.0.0.1:+1",
                                        "127.0.0.1: 1",
                                        "127.0.0.1:65536",
                                        "127.0.0.1:99999999999999999999",
                                        "127.0.0:80",
                                        "256.0.0.1:80",
                                        "::1:80",
                                        "[::1]",
                                        "[::1",
                                        "[::1]80",
                                        "[]:80",
                                        "[127.0.0.1]:80",
                                        "[localhost]:80",
                                        "-a:80",
                                        "a-:80",
                                        "a..b:80",
                                        ".a:80",
                                        "a_b:80",
                                        std::string("127.0.0.1\0x:80", 14),
                                        std::string("[::1\0]:80", 9),
                                        "a b:80",
                                        "http://a:80",
                                        "*:80",
                                        "[fe80::1%eth0]:80"};
  for (const std::string& text : bad) {
    const auto address = ParseListenAddress(text);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ListenAddressTest, SaysWhatIsWrongAndWhatToWrite) {
  EXPECT_EQ(ParseListenAddress("127.0.0.1").status().message(),
            "\"127.0.0.1\" has no port: write host:port, such as 127.0.0.1:8080, [::1]:8080 or localhost:8080");
}

TEST(ListenAddressTest, KnowsLoopbackHosts) {
  for (const std::string host :
       {"127.0.0.1", "127.8.9.10", "::1", "0:0:0:0:0:0:0:1", "::ffff:127.0.0.1", "localhost"}) {
    EXPECT_TRUE(IsLoopbackHost(host)) << host;
  }
  for (const std::string host : {"0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "::ffff:10.0.0.1", "::2",
                                 "localhost.evil.com", "127.0.0.1.evil.com", "gateway", ""}) {
    EXPECT_FALSE(IsLoopbackHost(host)) << host;
  }
}

}  // namespace
}  // namespace aulm::gateway
