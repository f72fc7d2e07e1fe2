#include "service/storage/sqlite/task_thread.h"

#include <utility>

#include "absl/synchronization/notification.h"

namespace aulm::gateway {

TaskThread::TaskThread() : thread_([this] { Run(); }) {}

TaskThread::~TaskThread() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    posted_.Signal();
  }
  thread_.join();
}

void TaskThread::Post(Task task) {
  absl::MutexLock lock(&mutex_);
  tasks_.push_back(std::move(task));
  if (waiting_) posted_.Signal();
}

void TaskThread::Flush() {
  absl::Notification done;
  Post([&done] { done.Notify(); });
  done.WaitForNotification();
}

void TaskThread::Run() {
  std::vector<Task> tasks;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      while (tasks_.empty() && !stopping_) {
        waiting_ = true;
        posted_.Wait(&mutex_);
        waiting_ = false;
      }
      if (tasks_.empty()) return;
      tasks.swap(tasks_);
    }
    for (Task& task : tasks) std::move(task)();
    tasks.clear();
  }
}

}  // namespace aulm::gateway
