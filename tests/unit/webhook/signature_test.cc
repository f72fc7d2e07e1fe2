#include "service/webhook/signature.h"

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

const std::string kHex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1dfeff";

TEST(SignatureTest, ReadsPrefixAndHexOfEitherCase) {
  const auto lower = ParseSignature("sha256=" + kHex);
  ASSERT_TRUE(lower.has_value());
  EXPECT_EQ((*lower)[1], 0x01);
  EXPECT_EQ((*lower)[30], 0xfe);
  EXPECT_EQ((*lower)[31], 0xff);
  EXPECT_EQ(ParseSignature("sha256=" + absl::AsciiStrToUpper(kHex)), lower);
}

TEST(SignatureTest, AnythingElseIsMalformed) {
  for (const std::string& text : {std::string(), std::string("sha256="), kHex, "sha1=" + kHex, "SHA256=" + kHex,
                                  "sha256=" + kHex.substr(1), "sha256=" + kHex + "0", "sha256=" + kHex + " ",
                                  " sha256=" + kHex, "sha256=g" + kHex.substr(1), "sha256=" + kHex.substr(0, 63) + "/",
                                  "sha256=" + kHex.substr(0, 63) + std::string(1, '\0'), "sha256=sha256=" + kHex}) {
    EXPECT_EQ(ParseSignature(text), std::nullopt) << text;
  }
}

TEST(SignatureTest, DigestsDifferByASingleBit) {
  const SignatureDigest digest = *ParseSignature("sha256=" + kHex);
  EXPECT_TRUE(SameDigest(digest, digest));
  for (size_t i = 0; i < digest.size(); ++i) {
    SignatureDigest other = digest;
    other[i] ^= 0x80;
    EXPECT_FALSE(SameDigest(digest, other)) << i;
  }
}

}  // namespace
}  // namespace aulm::gateway
