#include "service/config/secret_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/config/config_folder.h"

namespace aulm::gateway {
namespace {

std::string OneSecret(SecretFormat format, absl::string_view content) {
  const auto secrets = ParseSecrets(format, content);
  if (!secrets.ok()) return absl::StrCat("error: ", secrets.status().message());
  if (secrets->size() != 1) return absl::StrCat(secrets->size(), " secrets");
  return std::string(secrets->front().Reveal());
}

TEST(SecretFileTest, ReadsTheBytesOfAFile) {
  const ConfigFolder folder;
  const std::string content("a\0b\r\n", 5);
  EXPECT_EQ(ReadSecretFile(folder.Write("file", content))->Reveal(), content);
  EXPECT_EQ(ReadSecretFile(folder.Write("empty", ""))->Reveal(), "");
}

TEST(SecretFileTest, SaysWhyAFileCannotBeRead) {
  const ConfigFolder folder;
  EXPECT_EQ(ReadSecretFile(folder.Path("none")).status(),
            absl::NotFoundError("cannot be read (No such file or directory)"));
  EXPECT_EQ(ReadSecretFile(folder.path()).status(), absl::FailedPreconditionError("is not a regular file"));
  EXPECT_EQ(ReadSecretFile("/dev/zero").status(), absl::FailedPreconditionError("is not a regular file"));
}

TEST(SecretFileTest, DoesNotWaitForTheWriterOfANamedPipe) {
  const ConfigFolder folder;
  ASSERT_EQ(mkfifo(folder.Path("pipe").c_str(), 0600), 0);
  EXPECT_EQ(ReadSecretFile(folder.Path("pipe")).status(), absl::FailedPreconditionError("is not a regular file"));
}

TEST(SecretFileTest, RefusesALargeFile) {
  const ConfigFolder folder;
  EXPECT_TRUE(ReadSecretFile(folder.Write("largest", std::string(64 << 10, 'x'))).ok());
  EXPECT_EQ(ReadSecretFile(folder.Write("larger", std::string((64 << 10) + 1, 'x'))).status(),
            absl::FailedPreconditionError("is larger than 64 KiB"));
}

TEST(SecretFileTest, AKeyFileHoldsOneKey) {
  EXPECT_EQ(OneSecret(SecretFormat::kApiKey, "alm_sk_live_abc"), "alm_sk_live_abc");
  EXPECT_EQ(OneSecret(SecretFormat::kApiKey, "alm_sk_test_abc\n"), "alm_sk_test_abc");
  EXPECT_EQ(OneSecret(SecretFormat::kApiKey, "alm_sk_test_abc\r\n\n"), "alm_sk_test_abc");
}

TEST(SecretFileTest, RefusesWhatIsNoKeyWithoutShowingIt) {
  for (const std::string content :
       {"", "\n", "canary", "ALM_SK_LIVE_canary", "alm_sk_live_", "alm_sk_live_canary canary", " alm_sk_live_canary",
        "alm_sk_live_canary\nalm_sk_live_canary", "alm_sk_live_canary\t", "\"alm_sk_live_canary\"",
        "alm_sk_live_can\xC3\xA4ry"}) {
    const auto secrets = ParseSecrets(SecretFormat::kApiKey, content);
    ASSERT_EQ(secrets.status().code(), absl::StatusCode::kInvalidArgument) << content;
    EXPECT_THAT(std::string(secrets.status().message()), testing::Not(testing::HasSubstr("canary")));
  }
  EXPECT_TRUE(ParseSecrets(SecretFormat::kApiKey, "alm_sk_live_" + std::string(500, 'x')).ok());
  EXPECT_FALSE(ParseSecrets(SecretFormat::kApiKey, "alm_sk_live_" + std::string(501, 'x')).ok());
}

TEST(SecretFileTest, AWebhookFileHoldsOneSecretALine) {
  const auto secrets = ParseSecrets(SecretFormat::kWebhookSecrets, "one\n\n#two\r\n three \n");
  ASSERT_TRUE(secrets.ok());
  ASSERT_EQ(secrets->size(), 3u);
  EXPECT_EQ((*secrets)[0].Reveal(), "one");
  EXPECT_EQ((*secrets)[1].Reveal(), "#two");     // a secret may begin with anything
  EXPECT_EQ((*secrets)[2].Reveal(), " three ");  // and hold blanks
}

TEST(SecretFileTest, RefusesNoSecretTheSameTwiceAndAnEndlessOne) {
  for (const std::string& content :
       {std::string(), std::string("\r\n\n"), std::string("canary\nx\ncanary\n"), std::string(1025, 'x')}) {
    const auto secrets = ParseSecrets(SecretFormat::kWebhookSecrets, content);
    ASSERT_EQ(secrets.status().code(), absl::StatusCode::kInvalidArgument) << content;
    EXPECT_THAT(std::string(secrets.status().message()), testing::Not(testing::HasSubstr("canary")));
  }
}

}  // namespace
}  // namespace aulm::gateway
