#include "service/storage/task_thread.h"

#include <pthread.h>

#include <utility>

#include "absl/synchronization/notification.h"

namespace aulm::gateway {
namespace {

constexpr absl::Duration kLazyWait = absl::Milliseconds(5);

}  // namespace

TaskThread::TaskThread(Clock& clock)
    : lazy_timer_(clock,
                  [this] {
                    absl::MutexLock lock(&mutex_);
                    if (waiting_ && !tasks_.empty()) posted_.Signal();
                  }),
      thread_([this] { Run(); }) {}

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

void TaskThread::PostLazily(Task task) {
  {
    absl::MutexLock lock(&mutex_);
    tasks_.push_back(std::move(task));
    if (!waiting_ || tasks_.size() > 1) return;  // it is awake, or the timer is set
  }
  lazy_timer_.Schedule(kLazyWait);
}

void TaskThread::Flush() {
  absl::Notification done;
  Post([&done] { done.Notify(); });
  done.WaitForNotification();
}

void TaskThread::Run() {
  pthread_setname_np(pthread_self(), "store_state");
  std::vector<Task> tasks;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      // A lazy task alone does not end the waiting: whoever signals does.
      if (tasks_.empty() && !stopping_) {
        waiting_ = true;
        do {
          posted_.Wait(&mutex_);
        } while (tasks_.empty() && !stopping_);
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
