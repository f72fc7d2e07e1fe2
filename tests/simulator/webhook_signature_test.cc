#include "tests/simulator/webhook_signature.h"

#include <gtest/gtest.h>

namespace aulm::simulator {
namespace {

// RFC 4231, test cases 2 and 1.
TEST(WebhookSignatureTest, MatchesThePublishedVectors) {
  EXPECT_EQ(SignWebhook("Jefe", "what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(SignWebhook(std::string(20, '\x0b'), "Hi There"),
            "sha256=b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

}  // namespace
}  // namespace aulm::simulator
