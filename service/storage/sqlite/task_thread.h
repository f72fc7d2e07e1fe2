#pragma once

#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// One thread that runs what is posted to it, in order. Thread-safe.
class TaskThread {
 public:
  using Task = absl::AnyInvocable<void() &&>;

  TaskThread();
  // Runs everything that was posted, then ends the thread.
  ~TaskThread();

  TaskThread(const TaskThread&) = delete;
  TaskThread& operator=(const TaskThread&) = delete;

  // Never blocks. Not after the destructor began, except from a task.
  void Post(Task task);

  // Waits until everything posted before has run. Not from a task.
  void Flush();

 private:
  void Run();

  absl::Mutex mutex_;
  absl::CondVar posted_;
  std::vector<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace aulm::gateway
