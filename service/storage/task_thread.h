#pragma once

#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"
#include "service/base/clock.h"
#include "service/storage/wake_timer.h"

namespace aulm::gateway {

// One thread that runs what is posted to it, in order. Thread-safe.
class TaskThread {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  // `clock` outlives the thread.
  explicit TaskThread(Clock& clock);
  // Runs everything that was posted, then ends the thread.
  ~TaskThread();

  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // Never blocks. Not after the destructor began, except from a task.
  void Post(Task task);

  // Posts what nobody waits for: in its order like any other, but the thread sleeps on, for some milliseconds at most,
  // until there is company. Waking it costs more than such a task does.
  void PostLazily(Task task);

  // Waits until everything posted before has run. Not from a task.
  void Flush();

 private:
  void Run();

  absl::Mutex mutex_;
  absl::CondVar posted_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  WakeTimer lazy_timer_;
  std::thread thread_;
};

}  // namespace aulm::gateway
