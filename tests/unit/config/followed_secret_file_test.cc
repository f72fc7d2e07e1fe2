#include "service/config/followed_secret_file.h"

#include <sys/stat.h>

#include <filesystem>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/unit/config/config_folder.h"

namespace aulm::gateway {
namespace {

using Finding = FollowedSecretFile::Finding;

class FollowedSecretFileTest : public testing::Test {
 protected:
  FollowedSecretFile Follow(const std::string& path) {
    FollowedSecretFile file(path, SecretFormat::kWebhookSecrets, ReadSecretFile);
    EXPECT_EQ(file.Load(), absl::OkStatus());
    return file;
  }
  static std::string Only(const FollowedSecretFile& file) {
    return file.secrets().size() == 1 ? std::string(file.secrets()[0].Reveal()) : "not one";
  }

  ConfigFolder folder_;
};

TEST_F(FollowedSecretFileTest, LoadRefusesAFileThatCannotBeUsed) {
  FollowedSecretFile missing(folder_.Path("none"), SecretFormat::kApiKey, ReadSecretFile);
  EXPECT_EQ(missing.Load(),
            absl::InvalidArgumentError(folder_.Path("none") + ": cannot be read (No such file or directory)"));
  FollowedSecretFile empty(folder_.Write("empty", ""), SecretFormat::kApiKey, ReadSecretFile);
  EXPECT_EQ(empty.Load(), absl::InvalidArgumentError(folder_.Path("empty") +
                                                     ": holds no key: put one aulm API key there, on one line"));
}

TEST_F(FollowedSecretFileTest, AnUnchangedFileIsTheSame) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(Only(file), "old");
}

TEST_F(FollowedSecretFileTest, ANewContentCountsOnceTwoChecksSawIt) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "new");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(Only(file), "old");
  EXPECT_EQ(file.Check(), Finding::kChanged);
  EXPECT_EQ(Only(file), "new");
  EXPECT_EQ(file.Check(), Finding::kSame);
}

TEST_F(FollowedSecretFileTest, AFileThatIsStillBeingWrittenIsNotTaken) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "ne");
  EXPECT_EQ(file.Check(), Finding::kSame);
  folder_.Write("secret", "new");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(Only(file), "old");
  EXPECT_EQ(file.Check(), Finding::kChanged);
  EXPECT_EQ(Only(file), "new");
}

TEST_F(FollowedSecretFileTest, AChangeThatIsTakenBackIsNone) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "new");
  EXPECT_EQ(file.Check(), Finding::kSame);
  folder_.Write("secret", "old");
  EXPECT_EQ(file.Check(), Finding::kSame);
  folder_.Write("secret", "new");
  EXPECT_EQ(file.Check(), Finding::kSame);  // the first of two again
  EXPECT_EQ(file.Check(), Finding::kChanged);
}

TEST_F(FollowedSecretFileTest, FollowsAFileRenamedOverTheOldOne) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  std::filesystem::rename(folder_.Write("fresh", "new"), folder_.Path("secret"));
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kChanged);
  EXPECT_EQ(Only(file), "new");
}

// As Kubernetes does it: key -> ..data/key, ..data -> a folder of the version, swapped by one rename.
TEST_F(FollowedSecretFileTest, FollowsKubernetesSymlinkSwap) {
  std::filesystem::create_directory(folder_.Path("..v1"));
  std::filesystem::create_directory(folder_.Path("..v2"));
  folder_.Write("..v1/key", "old");
  folder_.Write("..v2/key", "new");
  std::filesystem::create_symlink("..v1", folder_.Path("..data"));
  std::filesystem::create_symlink("..data/key", folder_.Path("key"));
  FollowedSecretFile file = Follow(folder_.Path("key"));

  std::filesystem::create_symlink("..v2", folder_.Path("..data_tmp"));
  std::filesystem::rename(folder_.Path("..data_tmp"), folder_.Path("..data"));
  std::filesystem::remove_all(folder_.Path("..v1"));

  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kChanged);
  EXPECT_EQ(Only(file), "new");
}

TEST_F(FollowedSecretFileTest, AnEmptiedFileKeepsTheOldSecretAndIsToldOnce) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.problem(), "");
  EXPECT_EQ(file.Check(), Finding::kBroken);
  EXPECT_THAT(file.problem(), testing::StartsWith("holds no secret: "));
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(Only(file), "old");
}

TEST_F(FollowedSecretFileTest, ARemovedFileKeepsTheOldSecret) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  std::filesystem::remove(folder_.Path("secret"));
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kBroken);
  EXPECT_EQ(file.problem(), "cannot be read (No such file or directory)");
  EXPECT_EQ(Only(file), "old");
}

TEST_F(FollowedSecretFileTest, ABrokenFileThatGetsANewSecretHasChanged) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kBroken);
  folder_.Write("secret", "new");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kChanged);
  EXPECT_EQ(file.problem(), "");
  EXPECT_EQ(Only(file), "new");
}

TEST_F(FollowedSecretFileTest, ABrokenFileThatGetsItsOldSecretBackIsMended) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kBroken);
  folder_.Write("secret", "old");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kMended);
  EXPECT_EQ(file.problem(), "");
  EXPECT_EQ(file.Check(), Finding::kSame);
}

TEST_F(FollowedSecretFileTest, AnotherProblemIsToldToo) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kBroken);
  std::filesystem::remove(folder_.Path("secret"));
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kBroken);
  EXPECT_EQ(file.problem(), "cannot be read (No such file or directory)");
}

TEST_F(FollowedSecretFileTest, AnotherContentWithTheSameSecretsIsNoChange) {
  FollowedSecretFile file = Follow(folder_.Write("secret", "old"));
  folder_.Write("secret", "old\n");
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(file.Check(), Finding::kSame);
  EXPECT_EQ(Only(file), "old");
}

}  // namespace
}  // namespace aulm::gateway
