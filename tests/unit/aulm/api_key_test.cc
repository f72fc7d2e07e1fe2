// What can be an aulm key at all.
#include "service/aulm/api_key.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace aulm::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

TEST(CheckApiKeyTest, LiveAndTestKeysAreTaken) {
  EXPECT_EQ(CheckApiKey("alm_sk_live_0123abc"), absl::OkStatus());
  EXPECT_EQ(CheckApiKey("alm_sk_test_0123abc"), absl::OkStatus());
}

TEST(CheckApiKeyTest, TheRestIsRefusedWithoutBeingRepeated) {
  for (const char* key : {"", "sk_live_secret", "ALM_SK_LIVE_secret", "alm_sk_secret", "alm_sk_live_", "alm_sk_test_",
                          "alm_sk_live_sec ret", "alm_sk_live_secret\n", " alm_sk_live_secret",
                          "alm_sk_live_secret\r\nX: y", "alm_sk_live_secr\xC3\xA9t"}) {
    const absl::Status status = CheckApiKey(key);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << key;
    EXPECT_THAT(std::string(status.message()), Not(HasSubstr("secr"))) << key;
  }
}

TEST(CheckApiKeyTest, AWrongPrefixSaysWhichAreRight) {
  EXPECT_THAT(std::string(CheckApiKey("sk_123").message()), HasSubstr("alm_sk_live_ or alm_sk_test_"));
}

TEST(IsLiveKeyTest, ToldByThePrefix) {
  EXPECT_TRUE(IsLiveKey("alm_sk_live_1"));
  EXPECT_FALSE(IsLiveKey("alm_sk_test_1"));
  EXPECT_FALSE(IsLiveKey(""));
}

}  // namespace
}  // namespace aulm::gateway
