#include "service/webhook/signature_verifier.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"
#include "tests/unit/webhook/delivery_fixture.h"

namespace aulm::gateway {
namespace {

using Result = SignatureVerdict::Result;

SignatureVerdict Verify(Delivery& delivery, const std::vector<absl::string_view>& secrets) {
  const WebhookSecrets held(secrets);
  return VerifySignature(delivery.request(), *held.Current());
}

TEST(SignatureVerifierTest, ValidSignatureTellsItsSlot) {
  for (size_t slot = 0; slot < 3; ++slot) {
    const std::vector<absl::string_view> secrets = {"first", "second", "third"};
    const SignatureVerdict verdict = Verify(Delivery("{}").SignedWith(secrets[slot]), secrets);
    EXPECT_EQ(verdict.result, Result::kValid);
    EXPECT_EQ(verdict.slot, slot);
  }
}

TEST(SignatureVerifierTest, SignatureOfAnotherSecretIsWrong) {
  EXPECT_EQ(Verify(Delivery("{}").SignedWith("other"), {"first", "second"}).result, Result::kWrong);
}

TEST(SignatureVerifierTest, SignatureOfAnotherBodyIsWrong) {
  Delivery delivery("{}");
  delivery.SignedWith("first").request().body = "{} ";
  EXPECT_EQ(Verify(delivery, {"first"}).result, Result::kWrong);
}

TEST(SignatureVerifierTest, NoSignatureIsAbsent) {
  Delivery delivery("{}");
  EXPECT_EQ(Verify(delivery, {"first"}).result, Result::kAbsent);
}

TEST(SignatureVerifierTest, SignatureOfAnotherFormIsMalformed) {
  EXPECT_EQ(Verify(Delivery("{}").With("x-aulm-signature", "sha1=abc"), {"first"}).result, Result::kMalformed);
  EXPECT_EQ(Verify(Delivery("{}").With("x-aulm-signature", ""), {"first"}).result, Result::kMalformed);
}

TEST(SignatureVerifierTest, TwoSignaturesAreMalformedEvenIfBothHold) {
  Delivery delivery("{}");
  delivery.SignedWith("first").SignedWith("first");
  EXPECT_EQ(Verify(delivery, {"first"}).result, Result::kMalformed);
}

TEST(SignatureVerifierTest, WithoutSecretsNothingIsSaidOfTheSignature) {
  EXPECT_EQ(Verify(Delivery("{}").SignedWith("first"), {}).result, Result::kNoSecret);
}

TEST(SignatureVerifierTest, EmptySecretVerifiesNothing) {
  Delivery delivery("{}");
  // HMAC-SHA256 of "{}" under the empty key.
  delivery.With("x-aulm-signature", "sha256=22f8eea909400af98adf3681a9f31923ef6b7fcba4abb553d92823a3e9d5c25e");
  EXPECT_NE(Verify(delivery, {"", "first"}).result, Result::kValid);
}

}  // namespace
}  // namespace aulm::gateway
