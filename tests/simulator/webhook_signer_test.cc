#include "tests/simulator/webhook_signer.h"

#include <gtest/gtest.h>

#include <string>

namespace aulm::simulator {
namespace {

// RFC 4231, test cases 2 and 1.
TEST(WebhookSignerTest, MatchesThePublishedVectors) {
  EXPECT_EQ(WebhookSigner("Jefe").Sign("what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(WebhookSigner(std::string(20, '\x0b')).Sign("Hi There"),
            "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(WebhookSignerTest, SignsOneBodyAfterAnother) {
  WebhookSigner signer("Jefe");
  const std::string first = signer.Sign("what do ya want for nothing?");
  EXPECT_NE(signer.Sign("another"), first);
  EXPECT_EQ(signer.Sign("what do ya want for nothing?"), first);
}

// HMAC of an empty message under an empty key, as printed by `openssl mac -digest SHA256 -macopt hexkey: HMAC`.
TEST(WebhookSignerTest, TakesAnEmptySecretAndAnEmptyBody) {
  EXPECT_EQ(WebhookSigner("").Sign(""), "sha256=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

}  // namespace
}  // namespace aulm::simulator
