#pragma once

#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "service/base/clock.h"

namespace aulm::gateway {

// One thread that looks at files again every two seconds: on it runs every check that was added. Whoever follows files
// (SecretWatcher, TlsWatcher) adds its own; a thread of their own, since a network's disk may hang. Thread-safe.
class FileChecks {
 public:
  static constexpr absl::Duration kInterval = absl::Seconds(2);

  // `clock` must outlive this.
  explicit FileChecks(Clock& clock);

  // Stops.
  ~FileChecks();

  FileChecks(const FileChecks&) = delete;
  FileChecks& operator=(const FileChecks&) = delete;

  // Calls `check` from now on, once an interval, never two checks at a time. It may block.
  void Add(std::function<void()> check) ABSL_LOCKS_EXCLUDED(mutex_);

  // Afterwards no check runs. Waits for the one that is under way. Calling it again does nothing.
  void Stop();

 private:
  // Wakes the thread; outlives this while a timer that knows it is pending.
  struct Wake {
    absl::Mutex mutex;
    bool due ABSL_GUARDED_BY(mutex) = false;
    bool stopping ABSL_GUARDED_BY(mutex) = false;
  };

  void Run();
  void CheckAll() ABSL_LOCKS_EXCLUDED(mutex_);

  Clock& clock_;
  const std::shared_ptr<Wake> wake_;
  absl::Mutex mutex_;
  std::vector<std::shared_ptr<const std::function<void()>>> checks_ ABSL_GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace aulm::gateway
