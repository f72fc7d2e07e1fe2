#include "tests/simulator/image_rules.h"

#include <gtest/gtest.h>

namespace aulm::simulator {
namespace {

bool Takes(absl::string_view image) { return CheckImage(image, 100).ok(); }

TEST(ImageRulesTest, TakesPublicHttpsUrls) {
  EXPECT_TRUE(Takes("https://example.com/cat.png"));
  EXPECT_TRUE(Takes("HTTPS://example.com"));
  EXPECT_TRUE(Takes("https://example.com:8443/cat.png?size=2#x"));
  EXPECT_TRUE(Takes("https://93.184.216.34/cat.png"));
  EXPECT_TRUE(Takes("https://[2606:2800:220:1::1]/cat.png"));
  EXPECT_TRUE(Takes("https://10.example.com/"));
}

TEST(ImageRulesTest, RefusesOtherSchemes) {
  EXPECT_FALSE(Takes("http://example.com/cat.png"));
  EXPECT_FALSE(Takes("ftp://example.com/cat.png"));
  EXPECT_FALSE(Takes("example.com/cat.png"));
  EXPECT_FALSE(Takes(""));
  EXPECT_FALSE(Takes("https://"));
}

TEST(ImageRulesTest, RefusesPrivateAndLoopbackAddresses) {
  for (const char* host : {"127.0.0.1",        "10.1.2.3",        "172.16.0.1", "172.31.255.255",
                           "192.168.1.1",      "169.254.169.254", "0.0.0.0",    "100.64.0.1",
                           "224.0.0.1",        "255.255.255.255", "localhost",  "LOCALHOST",
                           "localhost.",       "a.localhost",     "127.1",      "2130706433",
                           "0x7f000001",       "[::1]",           "[::]",       "[fe80::1]",
                           "[fc00::1]",        "[fd12::1]",       "[ff02::1]",  "[::ffff:127.0.0.1]",
                           "[::ffff:10.0.0.1]"}) {
    EXPECT_FALSE(Takes(std::string("https://") + host + "/x")) << host;
    EXPECT_FALSE(Takes(std::string("https://user@") + host + ":443/x")) << host;
  }
}

TEST(ImageRulesTest, TakesAddressesBesideThePrivateBlocks) {
  for (const char* host :
       {"172.15.0.1", "172.32.0.1", "192.167.0.1", "11.0.0.1", "100.128.0.1", "169.253.0.1", "[fec0::1]"}) {
    EXPECT_TRUE(Takes(std::string("https://") + host + "/x")) << host;
  }
}

TEST(ImageRulesTest, TakesBase64DataUrisOfImages) {
  EXPECT_TRUE(Takes("data:image/png;base64,iVBORw0KGgo="));
  EXPECT_TRUE(Takes("data:image/jpeg;base64,QUJD"));
  EXPECT_TRUE(Takes("data:image/webp;base64,QQ=="));
}

TEST(ImageRulesTest, RefusesOtherDataUris) {
  EXPECT_FALSE(Takes("data:text/plain;base64,QUJD"));
  EXPECT_FALSE(Takes("data:image/png,QUJD"));
  EXPECT_FALSE(Takes("data:image/png;base64,"));
  EXPECT_FALSE(Takes("data:image/png;base64,QUJ"));
  EXPECT_FALSE(Takes("data:image/png;base64,Q==="));
  EXPECT_FALSE(Takes("data:image/png;base64,QU D"));
  EXPECT_FALSE(Takes("data:image/png;base64,QU-_"));
}

}  // namespace
}  // namespace aulm::simulator
