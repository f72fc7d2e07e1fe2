#include "service/config/tls_watcher.h"

#include <unistd.h>

#include <filesystem>
#include <string>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "tests/support/fake_clock.h"
#include "tests/support/test_certificate_pem.h"
#include "tests/unit/config/config_folder.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;

class TlsWatcherTest : public testing::Test {
 protected:
  void Write(const TestCertificatePem& pem) const {
    folder_.Write("tls.crt", pem.certificate);
    folder_.Write("tls.key", pem.key);
  }

  absl::Status Watch() {
    return watcher_.Watch({"webhook",
                           {.certificate_file = folder_.Path("tls.crt"), .key_file = folder_.Path("tls.key")},
                           [this](const TlsMaterial& material) { return Take(material); }},
                          [this](const TlsMaterial& material) { return Take(material); });
  }

  absl::Status Take(const TlsMaterial& material) {
    absl::MutexLock lock(&mutex_);
    in_force_ = material.certificate_chain;
    return take_;
  }

  std::string InForce() {
    absl::MutexLock lock(&mutex_);
    return in_force_;
  }

  // Moves the clock on, one interval at a time, until the metrics say so.
  void AwaitMetric(const std::string& line) {
    while (!absl::StrContains(Metrics(), line)) {
      clock_.Advance(FileChecks::kInterval);
      std::this_thread::yield();
    }
  }

  std::string Metrics() const { return prometheus::TextSerializer().Serialize(registry_.Collect()); }

  const TestCertificatePem old_ = MakeTestCertificate("old");
  const TestCertificatePem fresh_ = MakeTestCertificate("fresh", absl::Hours(48));
  ConfigFolder folder_;
  FakeClock clock_;
  prometheus::Registry registry_;
  absl::Mutex mutex_;
  std::string in_force_ ABSL_GUARDED_BY(mutex_);
  absl::Status take_;
  TlsWatcher watcher_{checks_, registry_};
  FileChecks checks_{clock_};  // goes first
};

constexpr char kApplied[] = "aulm_gateway_tls_changes_total{listener=\"webhook\",outcome=\"applied\"} 1\n";
constexpr char kRefused[] = "aulm_gateway_tls_changes_total{listener=\"webhook\",outcome=\"refused\"} 1\n";
constexpr char kBroken[] = "aulm_gateway_tls_files_broken{listener=\"webhook\"} 1\n";
constexpr char kSound[] = "aulm_gateway_tls_files_broken{listener=\"webhook\"} 0\n";

TEST_F(TlsWatcherTest, BeginsWithWhatTheFilesHold) {
  Write(old_);
  ASSERT_EQ(Watch(), absl::OkStatus());
  EXPECT_EQ(InForce(), old_.certificate);
}

TEST_F(TlsWatcherTest, RefusesFilesThatCannotBeUsed) {
  EXPECT_THAT(std::string(Watch().message()), HasSubstr("tls.crt cannot be read (No such file or directory)"));
  Write({old_.certificate, fresh_.key});
  EXPECT_EQ(Watch().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(InForce(), "");
}

TEST_F(TlsWatcherTest, ListenerThatCannotBeginIsTheError) {
  Write(old_);
  take_ = absl::FailedPreconditionError("the port is taken");
  EXPECT_EQ(Watch(), take_);
}

TEST_F(TlsWatcherTest, PassesOnFilesWrittenInPlace) {
  Write(old_);
  ASSERT_EQ(Watch(), absl::OkStatus());
  Write(fresh_);
  AwaitMetric(kApplied);
  EXPECT_EQ(InForce(), fresh_.certificate);
}

// A folder that stands for the secret, a link ..data to the folder of its present version, and links to the files
// through it: what the kubelet does, and how it changes all files at once.
TEST_F(TlsWatcherTest, PassesOnFilesBehindKubernetesSwappedLink) {
  for (const auto& [version, pem] : {std::pair("..1", &old_), std::pair("..2", &fresh_)}) {
    std::filesystem::create_directory(folder_.Path(version));
    folder_.Write(absl::StrCat(version, "/tls.crt"), pem->certificate);
    folder_.Write(absl::StrCat(version, "/tls.key"), pem->key);
  }
  std::filesystem::create_symlink("..1", folder_.Path("..data"));
  std::filesystem::create_symlink("..data/tls.crt", folder_.Path("tls.crt"));
  std::filesystem::create_symlink("..data/tls.key", folder_.Path("tls.key"));
  ASSERT_EQ(Watch(), absl::OkStatus());
  ASSERT_EQ(InForce(), old_.certificate);
  std::filesystem::create_symlink("..2", folder_.Path("..data_tmp"));
  std::filesystem::rename(folder_.Path("..data_tmp"), folder_.Path("..data"));
  std::filesystem::remove_all(folder_.Path("..1"));
  AwaitMetric(kApplied);
  EXPECT_EQ(InForce(), fresh_.certificate);
}

TEST_F(TlsWatcherTest, ACertificateWithoutItsKeyWaitsForIt) {
  Write(old_);
  ASSERT_EQ(Watch(), absl::OkStatus());
  folder_.Write("tls.crt", fresh_.certificate);
  AwaitMetric(kBroken);
  EXPECT_EQ(InForce(), old_.certificate);
  folder_.Write("tls.key", fresh_.key);
  AwaitMetric(kApplied);
  EXPECT_EQ(InForce(), fresh_.certificate);
  EXPECT_THAT(Metrics(), HasSubstr(kSound));
}

TEST_F(TlsWatcherTest, BrokenFilesKeepTheOldOnesAndAreCountedOnce) {
  Write(old_);
  ASSERT_EQ(Watch(), absl::OkStatus());
  EXPECT_THAT(Metrics(), HasSubstr(kSound));
  std::filesystem::remove(folder_.Path("tls.key"));
  AwaitMetric(kBroken);
  for (int i = 0; i < 5; ++i) clock_.Advance(FileChecks::kInterval);
  EXPECT_EQ(InForce(), old_.certificate);
  EXPECT_THAT(Metrics(), HasSubstr(kRefused));
  Write(old_);
  AwaitMetric(kSound);
  EXPECT_THAT(Metrics(), HasSubstr("aulm_gateway_tls_changes_total{listener=\"webhook\",outcome=\"applied\"} 0\n"));
}

TEST_F(TlsWatcherTest, WhatTheListenerRefusesCountsAsBroken) {
  Write(old_);
  ASSERT_EQ(Watch(), absl::OkStatus());
  {
    absl::MutexLock lock(&mutex_);
    take_ = absl::FailedPreconditionError("no");
  }
  Write(fresh_);
  AwaitMetric(kBroken);
  EXPECT_THAT(Metrics(), HasSubstr(kRefused));
}

TEST_F(TlsWatcherTest, TellsWhenTheCertificateInForceExpires) {
  const auto expiry = [this] {
    const std::string metrics = Metrics();
    const std::string name = "aulm_gateway_tls_certificate_expiry_timestamp_seconds{listener=\"webhook\"} ";
    const size_t begin = metrics.find(name) + name.size();
    return absl::FromUnixSeconds(static_cast<int64_t>(std::stod(metrics.substr(begin, metrics.find('\n', begin)))));
  };
  Write(old_);
  ASSERT_EQ(Watch(), absl::OkStatus());
  const absl::Time before = expiry();
  Write(fresh_);
  AwaitMetric(kApplied);
  AwaitMetric(kSound);
  EXPECT_GE(expiry() - before, absl::Hours(46));
}

}  // namespace
}  // namespace aulm::gateway
