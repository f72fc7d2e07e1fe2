#pragma once

#include <cstddef>
#include <deque>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// A few threads for what blocks on the log or takes long, so that gRPC's callback threads and the clock's never do.
// First come, first served: a job that posts its own continuation lets everyone else go first. Thread-safe.
class WorkerPool {
 public:
  explicit WorkerPool(size_t threads);

  // Stops.
  ~WorkerPool();

  // Runs `job` on one of the threads. Never blocks. After Stop the job is dropped without being run.
  void Post(absl::AnyInvocable<void() &&> job);

  // Waits for the jobs that are running; those that have not begun are dropped. Blocks; not from a job.
  void Stop();

 private:
  void Run();

  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::deque<absl::AnyInvocable<void() &&>> jobs_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> threads_;
};

}  // namespace aulm::gateway
