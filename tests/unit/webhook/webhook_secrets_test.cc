#include "service/webhook/webhook_secrets.h"

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

TEST(WebhookSecretsTest, StartsEmpty) { EXPECT_TRUE(WebhookSecrets().Current()->empty()); }

TEST(WebhookSecretsTest, EmptySecretsAreLeftOut) { EXPECT_EQ(WebhookSecrets({"", "a", ""}).Current()->size(), 1u); }

TEST(WebhookSecretsTest, ReplacingLeavesWhatWasHandedOut) {
  WebhookSecrets secrets({"a"});
  const auto before = secrets.Current();
  secrets.Replace({"b", "c"});
  EXPECT_EQ(before->size(), 1u);
  EXPECT_EQ(before->front()->Sign("x"), SigningKey::Create("a")->Sign("x"));
  const auto after = secrets.Current();
  ASSERT_EQ(after->size(), 2u);
  EXPECT_EQ(after->front()->Sign("x"), SigningKey::Create("b")->Sign("x"));
}

}  // namespace
}  // namespace aulm::gateway
