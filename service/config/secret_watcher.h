#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "prometheus/counter.h"
#include "prometheus/family.h"
#include "prometheus/gauge.h"
#include "prometheus/registry.h"
#include "service/base/clock.h"
#include "service/config/followed_secret_file.h"
#include "service/config/secret_file.h"
#include "service/config/settings.h"
#include "service/config/watched_secrets.h"

namespace aulm::gateway {

// Reads secret files again every two seconds and passes on what changed: a new content is in force at most two checks
// (four seconds and the time of reading) after it was written. Files are read on a thread of its own, since a network's
// disk may hang. A file that becomes unusable leaves its old secrets in force, and is logged and counted. Thread-safe.
class SecretWatcher {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(2);

  // What one purpose needs.
  struct Purpose {
    std::string account;  // for the log and the metrics
    SecretFormat format = SecretFormat::kApiKey;
    std::vector<SecretSource> sources;  // values given by the environment never change
    // Called with each new snapshot, on the watcher's thread, after Current() gives it; must not block. May be empty.
    std::function<void(const WatchedSecrets::Snapshot&)> on_change;
  };

  // `clock` and `registry` must outlive the watcher.
  SecretWatcher(Clock& clock, prometheus::Registry& registry, SecretFileReader read = ReadSecretFile);

  // Afterwards no on_change runs. Waits for a reading that is under way.
  ~SecretWatcher();

  SecretWatcher(const SecretWatcher&) = delete;
  SecretWatcher& operator=(const SecretWatcher&) = delete;

  // Reads the purpose's files (blocks) and watches them from now on. INVALID_ARGUMENT, "<path>: <problem>…", when one
  // cannot be used. What it gives out may outlive the watcher.
  absl::StatusOr<std::shared_ptr<const WatchedSecrets>> Watch(Purpose purpose);

 private:
  class Entry;
  // Wakes the thread; outlives the watcher while a timer that knows it is pending.
  struct Wake {
    absl::Mutex mutex;
    bool due ABSL_GUARDED_BY(mutex) = false;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
  };

  void Run();
  void CheckAll();

  Clock& clock_;
  const SecretFileReader read_;
  prometheus::Family<prometheus::Counter>& changes_;
  prometheus::Family<prometheus::Gauge>& broken_;
  const std::shared_ptr<Wake> wake_;
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<Entry>> entries_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace aulm::gateway
