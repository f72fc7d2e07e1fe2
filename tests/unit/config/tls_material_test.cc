#include "service/config/tls_material.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/support/test_certificate_pem.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;

absl::StatusOr<TlsMaterial> Make(const std::string& certificate, const std::string& key) {
  return MakeTlsMaterial({.certificate_file = "/tls/tls.crt", .key_file = "/tls/tls.key"}, Secret(certificate),
                         Secret(key));
}

std::string ProblemOf(const std::string& certificate, const std::string& key) {
  const auto material = Make(certificate, key);
  EXPECT_EQ(material.status().code(), absl::StatusCode::kInvalidArgument);
  return std::string(material.status().message());
}

// Keys and certificates as a whole, so that a test can show that no part of a key is told.
class TlsMaterialTest : public testing::Test {
 protected:
  const TestCertificatePem one_ = MakeTestCertificate("one", absl::Hours(24));
  const TestCertificatePem other_ = MakeTestCertificate("other");
};

TEST_F(TlsMaterialTest, GivesTheContentsAndTheLeafsExpiry) {
  const absl::Time before = absl::Now();
  const auto material = Make(one_.certificate + other_.certificate, one_.key);
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_EQ(material->certificate_chain, one_.certificate + other_.certificate);
  EXPECT_EQ(material->key.Reveal(), one_.key);
  EXPECT_GT(material->expires, before + absl::Hours(23));
  EXPECT_LT(material->expires, before + absl::Hours(25));
}

TEST_F(TlsMaterialTest, TakesAnExpiredCertificate) {
  const TestCertificatePem expired = MakeTestCertificate("expired", -absl::Minutes(1));
  const auto material = Make(expired.certificate, expired.key);
  ASSERT_TRUE(material.ok()) << material.status();
  EXPECT_LT(material->expires, absl::Now());
}

TEST_F(TlsMaterialTest, RefusesWhatIsNoCertificate) {
  EXPECT_EQ(ProblemOf("", one_.key),
            "/tls/tls.crt holds no PEM certificate: put the listener's certificate there, and the rest of its chain "
            "behind it");
  EXPECT_THAT(ProblemOf(one_.key, one_.key), HasSubstr("/tls/tls.crt holds no PEM certificate"));
  EXPECT_THAT(ProblemOf(one_.certificate.substr(0, 200), one_.key), HasSubstr("/tls/tls.crt holds no PEM certificate"));
}

TEST_F(TlsMaterialTest, RefusesAChainThatIsCutOff) {
  const std::string cut = other_.certificate.substr(0, other_.certificate.size() / 2);
  EXPECT_THAT(ProblemOf(one_.certificate + cut, one_.key), HasSubstr("cannot be read behind the first"));
}

TEST_F(TlsMaterialTest, RefusesAKeyThatIsNoneOrAnothers) {
  EXPECT_THAT(ProblemOf(one_.certificate, ""), HasSubstr("/tls/tls.key holds no PEM private key"));
  EXPECT_THAT(ProblemOf(one_.certificate, one_.certificate), HasSubstr("/tls/tls.key holds no PEM private key"));
  EXPECT_EQ(ProblemOf(one_.certificate, other_.key),
            "/tls/tls.key does not belong to the certificate /tls/tls.crt: put the private key of that certificate "
            "there");
}

TEST_F(TlsMaterialTest, RefusesAKeyWithAPassphraseInsteadOfAskingForIt) {
  constexpr char kEncrypted[] =
      "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,"
      "00112233445566778899AABBCCDDEEFF\n\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"
      "-----END RSA PRIVATE KEY-----\n";
  EXPECT_EQ(ProblemOf(one_.certificate, kEncrypted), "/tls/tls.key has a passphrase: put the key there without one");
}

}  // namespace
}  // namespace aulm::gateway
