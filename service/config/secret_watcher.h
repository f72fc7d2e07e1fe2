#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "service/config/file_checks.h"
#include "service/config/secret_file.h"
#include "service/config/settings.h"
#include "service/config/watched_secrets.h"

namespace aulm::gateway {

// Reads secret files again every two seconds and passes on what changed: a new content is in force at most two checks
// (four seconds and the time of reading) after it was written. A file that becomes unusable leaves its old secrets in
// force, and is logged and counted. Thread-safe.
class SecretWatcher {
 public:
  // What one purpose needs.
  struct Purpose {
    // Whose it is, for the log and the metrics: an account's, or where `caller` is set, a caller's.
    std::string account;
    SecretFormat format = SecretFormat::kApiKey;
    std::vector<SecretSource> sources;  // values given by the environment never change
    // Called with each new snapshot, on the checks' thread, after Current() gives it; must not block. May be empty.
    std::function<void(const WatchedSecrets::Snapshot&)> on_change;
    std::string caller = {};

    const char* owner_kind() const { return caller.empty() ? "account" : "caller"; }
    const std::string& owner() const { return caller.empty() ? account : caller; }
  };

  // `checks` and `registry` must outlive the watcher, and the checks be stopped before anything that an on_change
  // touches goes away.
  SecretWatcher(FileChecks& checks, prometheus::Registry& registry, SecretFileReader read = ReadSecretFile);

  SecretWatcher(const SecretWatcher&) = delete;
  SecretWatcher& operator=(const SecretWatcher&) = delete;

  // Reads the purpose's files (blocks) and watches them from now on. INVALID_ARGUMENT, "<path>: <problem>…", when one
  // cannot be used. What it gives out may outlive the watcher.
  absl::StatusOr<std::shared_ptr<const WatchedSecrets>> Watch(Purpose purpose);

 private:
  class Entry;

  FileChecks& checks_;
  const SecretFileReader read_;
  prometheus::Family<prometheus::Counter>& changes_;
  prometheus::Family<prometheus::Gauge>& broken_;
};

}  // namespace aulm::gateway
