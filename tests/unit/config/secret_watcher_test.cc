#include "service/config/secret_watcher.h"

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "tests/support/fake_clock.h"
#include "tests/unit/config/config_folder.h"

namespace aulm::gateway {
namespace {

std::string Join(const WatchedSecrets::Snapshot& snapshot) {
  return absl::StrJoin(snapshot->secrets, " ",
                       [](std::string* out, const Secret& secret) { absl::StrAppend(out, secret.Reveal()); });
}

class SecretWatcherTest : public testing::Test {
 protected:
  static SecretSource File(const std::string& path) { return {.file = path, .value = Secret()}; }

  SecretWatcher::Purpose Webhook(std::vector<SecretSource> sources) {
    return {.account = "default",
            .format = SecretFormat::kWebhookSecrets,
            .sources = std::move(sources),
            .on_change = [this](const WatchedSecrets::Snapshot& snapshot) {
              absl::MutexLock lock(&mutex_);
              changes_.push_back(Join(snapshot));
            }};
  }

  // Moves the clock on, one interval at a time, until the watcher has told `count` changes.
  std::vector<std::string> AwaitChanges(size_t count) {
    while (true) {
      {
        absl::MutexLock lock(&mutex_);
        if (changes_.size() >= count) return changes_;
      }
      // The watcher's thread sets its timer again when it has looked at every file.
      clock_.Advance(FileChecks::kInterval);
      std::this_thread::yield();
    }
  }

  std::string Metrics() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  ConfigFolder folder_;
  FakeClock clock_;
  prometheus::Registry registry_;
  absl::Mutex mutex_;
  std::vector<std::string> changes_ ABSL_GUARDED_BY(mutex_);
  SecretWatcher watcher_{checks_, registry_};
  FileChecks checks_{clock_};  // goes first
};

TEST_F(SecretWatcherTest, GivesTheSecretsOfAllSourcesAtOnce) {
  const auto watched = watcher_.Watch(Webhook(
      {File(folder_.Write("one", "a\nb\n")), {.file = "", .value = Secret("c")}, File(folder_.Write("two", "d"))}));
  ASSERT_TRUE(watched.ok()) << watched.status();
  EXPECT_EQ((*watched)->Current()->generation, 1u);
  EXPECT_EQ(Join((*watched)->Current()), "c a b d");
}

TEST_F(SecretWatcherTest, RefusesAFileThatCannotBeUsed) {
  const auto watched = watcher_.Watch(Webhook({File(folder_.Path("none"))}));
  EXPECT_EQ(watched.status(),
            absl::InvalidArgumentError(folder_.Path("none") + ": cannot be read (No such file or directory)"));
}

TEST_F(SecretWatcherTest, PassesOnAChangedFile) {
  const auto watched = watcher_.Watch(Webhook({File(folder_.Write("one", "a")), File(folder_.Write("two", "b"))}));
  ASSERT_TRUE(watched.ok()) << watched.status();
  folder_.Write("two", "c");
  EXPECT_THAT(AwaitChanges(1), testing::ElementsAre("a c"));
  EXPECT_EQ(Join((*watched)->Current()), "a c");
  EXPECT_EQ((*watched)->Current()->generation, 2u);
}

TEST_F(SecretWatcherTest, ChangesKeepComing) {
  const auto watched = watcher_.Watch(Webhook({File(folder_.Write("one", "a"))}));
  ASSERT_TRUE(watched.ok()) << watched.status();
  folder_.Write("one", "b");
  AwaitChanges(1);
  folder_.Write("one", "c");
  EXPECT_THAT(AwaitChanges(2), testing::ElementsAre("b", "c"));
  EXPECT_EQ((*watched)->Current()->generation, 3u);
}

TEST_F(SecretWatcherTest, ASnapshotInUseOutlivesTheChange) {
  const auto watched = watcher_.Watch(Webhook({File(folder_.Write("one", "a"))}));
  ASSERT_TRUE(watched.ok()) << watched.status();
  const WatchedSecrets::Snapshot before = (*watched)->Current();
  folder_.Write("one", "b");
  AwaitChanges(1);
  EXPECT_EQ(Join(before), "a");
}

TEST_F(SecretWatcherTest, ASecretThatMovesBetweenFilesIsListedOnce) {
  const auto watched = watcher_.Watch(Webhook({File(folder_.Write("one", "a")), File(folder_.Write("two", "b"))}));
  ASSERT_TRUE(watched.ok()) << watched.status();
  folder_.Write("two", "a");
  EXPECT_THAT(AwaitChanges(1), testing::ElementsAre("a"));
}

// The second purpose is checked after the first: its change tells that the first has been looked at as often.
TEST_F(SecretWatcherTest, ABrokenFileKeepsTheOldSecretsAndIsCounted) {
  SecretWatcher::Purpose broken = Webhook({File(folder_.Write("one", "a"))});
  broken.account = "broken";
  const auto kept = watcher_.Watch(broken);
  ASSERT_TRUE(kept.ok()) << kept.status();
  ASSERT_TRUE(watcher_.Watch(Webhook({File(folder_.Write("two", "b"))})).ok());
  folder_.Write("one", "");
  folder_.Write("two", "c");
  EXPECT_THAT(AwaitChanges(1), testing::ElementsAre("c"));
  EXPECT_EQ(Join((*kept)->Current()), "a");
  EXPECT_EQ((*kept)->Current()->generation, 1u);

  const std::string metrics = Metrics();
  EXPECT_THAT(metrics, testing::HasSubstr("aulm_gateway_secret_changes_total{account=\"broken\",outcome=\"refused\","
                                          "secret=\"webhook_secret\"} 1\n"));
  EXPECT_THAT(metrics,
              testing::HasSubstr("aulm_gateway_secret_files_broken{account=\"broken\",secret=\"webhook_secret\"} 1\n"));
  EXPECT_THAT(metrics, testing::HasSubstr("aulm_gateway_secret_changes_total{account=\"default\",outcome=\"applied\","
                                          "secret=\"webhook_secret\"} 1\n"));
}

TEST_F(SecretWatcherTest, SecretsAppearInNoMetric) {
  ASSERT_TRUE(watcher_.Watch(Webhook({File(folder_.Write("one", "canary"))})).ok());
  folder_.Write("one", "canary2");
  AwaitChanges(1);
  EXPECT_THAT(Metrics(), testing::Not(testing::HasSubstr("canary")));
}

TEST_F(SecretWatcherTest, WhatItGaveOutOutlivesIt) {
  std::shared_ptr<const WatchedSecrets> watched;
  {
    SecretWatcher watcher(checks_, registry_);
    auto result = watcher.Watch(Webhook({File(folder_.Write("one", "a"))}));
    ASSERT_TRUE(result.ok()) << result.status();
    watched = *result;
  }
  clock_.Advance(FileChecks::kInterval);  // its last timer finds nobody
  EXPECT_EQ(Join(watched->Current()), "a");
}

}  // namespace
}  // namespace aulm::gateway
