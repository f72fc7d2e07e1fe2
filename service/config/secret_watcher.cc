#include "service/config/secret_watcher.h"

#include <algorithm>
#include <utility>

#include "service/base/log.h"
#include "service/config/followed_secret_file.h"

namespace aulm::gateway {
namespace {

absl::string_view NameOf(SecretFormat format) {
  switch (format) {
    case SecretFormat::kApiKey:
      return "api_key";
    case SecretFormat::kWebhookSecrets:
      return "webhook_secret";
    case SecretFormat::kTokenDigests:
      return "token_sha256";
  }
  return "";
}

}  // namespace

// One purpose's files. Used by Watch before it is known to the checks' thread, and by that thread alone
// afterwards.
class SecretWatcher::Entry {
 public:
  Entry(Purpose purpose, const SecretFileReader& read, prometheus::Counter& applied, prometheus::Counter& refused,
        prometheus::Gauge& broken)
      : purpose_(std::move(purpose)), applied_(applied), refused_(refused), broken_(broken) {
    for (const SecretSource& source : purpose_.sources) {
      if (source.file.empty()) {
        values_.push_back(source.value);
      } else {
        files_.emplace_back(source.file, purpose_.format, read);
      }
    }
  }

  absl::Status Load() {
    for (FollowedSecretFile& file : files_) {
      if (absl::Status status = file.Load(); !status.ok()) return status;
    }
    watched_ = std::make_shared<WatchedSecrets>(
        std::make_shared<const SecretSnapshot>(SecretSnapshot{.generation = 1, .secrets = Merge()}));
    return absl::OkStatus();
  }

  const std::shared_ptr<WatchedSecrets>& watched() const { return watched_; }

  void Check() {
    bool changed = false;
    for (FollowedSecretFile& file : files_) changed |= CheckFile(file);
    broken_.Set(static_cast<double>(
        std::count_if(files_.begin(), files_.end(), [](const auto& file) { return !file.problem().empty(); })));
    if (!changed) return;
    const uint64_t generation = watched_->Current()->generation + 1;
    const auto snapshot =
        std::make_shared<const SecretSnapshot>(SecretSnapshot{.generation = generation, .secrets = Merge()});
    watched_->Set(snapshot);
    applied_.Increment();
    LogLine(LogLevel::kInfo, "secret_changed")
        .Field(purpose_.owner_kind(), purpose_.owner())
        .Field("secret", NameOf(purpose_.format))
        .Field("generation", generation)
        .Field("count", snapshot->secrets.size());
    if (purpose_.on_change) purpose_.on_change(snapshot);
  }

 private:
  bool CheckFile(FollowedSecretFile& file) {
    switch (file.Check()) {
      case FollowedSecretFile::Finding::kSame:
        return false;
      case FollowedSecretFile::Finding::kChanged:
        return true;
      case FollowedSecretFile::Finding::kBroken:
        refused_.Increment();
        LogFile(LogLevel::kWarn, "secret_file_refused_old_kept", file);
        return false;
      case FollowedSecretFile::Finding::kMended:
        LogFile(LogLevel::kInfo, "secret_file_mended", file);
        return false;
    }
    return false;
  }

  void LogFile(LogLevel level, absl::string_view event, const FollowedSecretFile& file) const {
    LogLine line(level, event);
    line.Field(purpose_.owner_kind(), purpose_.owner())
        .Field("secret", NameOf(purpose_.format))
        .Field("file", file.path());
    if (!file.problem().empty()) line.Field("problem", file.problem());
  }

  // A secret that moves from one file to another stands in both for a moment.
  std::vector<Secret> Merge() const {
    std::vector<Secret> merged = values_;
    for (const FollowedSecretFile& file : files_) {
      for (const Secret& secret : file.secrets()) {
        if (std::find(merged.begin(), merged.end(), secret) == merged.end()) merged.push_back(secret);
      }
    }
    return merged;
  }

  const Purpose purpose_;
  std::vector<Secret> values_;
  std::vector<FollowedSecretFile> files_;
  std::shared_ptr<WatchedSecrets> watched_;
  prometheus::Counter& applied_;
  prometheus::Counter& refused_;
  prometheus::Gauge& broken_;
};

SecretWatcher::SecretWatcher(FileChecks& checks, prometheus::Registry& registry, SecretFileReader read)
    : checks_(checks),
      read_(std::move(read)),
      changes_(prometheus::BuildCounter()
                   .Name("aulm_gateway_secret_changes_total")
                   .Help("Contents of secret files that were new: applied, or refused with the old ones kept.")
                   .Register(registry)),
      broken_(prometheus::BuildGauge()
                  .Name("aulm_gateway_secret_files_broken")
                  .Help("Secret files whose present content cannot be used.")
                  .Register(registry)) {}

absl::StatusOr<std::shared_ptr<const WatchedSecrets>> SecretWatcher::Watch(Purpose purpose) {
  const prometheus::Labels labels = {{purpose.owner_kind(), purpose.owner()},
                                     {"secret", std::string(NameOf(purpose.format))}};
  const auto with_outcome = [&labels](const char* outcome) {
    prometheus::Labels all = labels;
    all.emplace("outcome", outcome);
    return all;
  };
  auto entry = std::make_shared<Entry>(std::move(purpose), read_, changes_.Add(with_outcome("applied")),
                                       changes_.Add(with_outcome("refused")), broken_.Add(labels));
  if (absl::Status status = entry->Load(); !status.ok()) return status;
  std::shared_ptr<const WatchedSecrets> watched = entry->watched();
  checks_.Add([entry = std::move(entry)] { entry->Check(); });
  return watched;
}

}  // namespace aulm::gateway
