#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// A way to a store on which writes to one bucket fail when told to: they are not made, or their answers are lost.
// Thread-safe.
class FailingBucket final : public StateStore {
 public:
  enum class Failure { kNone, kNotMade, kNotHeardOf };

  FailingBucket(StateStore& store, std::string bucket) : store_(store), bucket_(std::move(bucket)) {}

  // All writes from now on.
  void Fail(Failure failure) {
    next_ = failure;
    failure_ = failure;
  }
  // The next call of Write alone.
  void FailNext(Failure failure) { next_ = failure; }

  // Calls `hook` once, before the next writes to the bucket are made.
  void BeforeNext(std::function<void()> hook) ABSL_LOCKS_EXCLUDED(mutex_) {
    absl::MutexLock lock(&mutex_);
    hook_ = std::move(hook);
  }

  void Write(std::vector<StateWrite> writes, Durability durability, WriteCallback done) override {
    const bool is_of_it =
        std::any_of(writes.begin(), writes.end(), [this](const StateWrite& write) { return write.bucket == bucket_; });
    if (is_of_it) RunHook();
    const Failure failure = is_of_it ? next_.exchange(failure_) : Failure::kNone;
    std::vector<bool> fails;
    std::vector<StateWrite> made;
    for (StateWrite& write : writes) {
      fails.push_back(failure != Failure::kNone && write.bucket == bucket_);
      if (!fails.back() || failure == Failure::kNotHeardOf) made.push_back(std::move(write));
    }
    store_.Write(std::move(made), durability,
                 [fails, failure, done = std::move(done)](std::vector<absl::StatusOr<uint64_t>> results) mutable {
                   std::vector<absl::StatusOr<uint64_t>> told;
                   size_t next = 0;
                   for (const bool failed : fails) {
                     told.emplace_back(absl::UnavailableError("no answer"));
                     if (!failed) told.back() = results[next];
                     if (!failed || failure == Failure::kNotHeardOf) ++next;
                   }
                   if (done) std::move(done)(std::move(told));
                 });
  }
  void Get(std::string bucket, std::string key, GetCallback done) override {
    store_.Get(std::move(bucket), std::move(key), std::move(done));
  }
  void List(std::string bucket, std::string prefix, std::string after_key, size_t limit, ListCallback done) override {
    store_.List(std::move(bucket), std::move(prefix), std::move(after_key), limit, std::move(done));
  }

 private:
  void RunHook() ABSL_LOCKS_EXCLUDED(mutex_) {
    std::function<void()> hook;
    {
      absl::MutexLock lock(&mutex_);
      hook.swap(hook_);
    }
    if (hook) hook();
  }

  StateStore& store_;
  const std::string bucket_;
  std::atomic<Failure> failure_{Failure::kNone};
  std::atomic<Failure> next_{Failure::kNone};
  absl::Mutex mutex_;
  std::function<void()> hook_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
