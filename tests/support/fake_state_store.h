#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "service/base/clock.h"
#include "service/storage/state_store.h"

namespace aulm::gateway {

// A StateStore in memory that keeps the contract's rules of compare-and-set and expiry, answers inside the call, and
// fails or holds its answers back when told to. Thread-safe.
class FakeStateStore final : public StateStore {
 public:
  explicit FakeStateStore(const Clock& clock) : clock_(clock) {}

  void Write(std::vector<StateWrite> writes, Durability, WriteCallback done) override {
    std::vector<absl::StatusOr<uint64_t>> results;
    {
      absl::MutexLock lock(&mutex_);
      for (StateWrite& write : writes) {
        results.push_back(failure_.ok() ? Apply(std::move(write)) : absl::StatusOr<uint64_t>(failure_));
      }
    }
    if (done == nullptr) return;
    Finish([done = std::move(done), results = std::move(results)]() mutable { std::move(done)(std::move(results)); });
  }

  void Get(std::string bucket, std::string key, GetCallback done) override {
    absl::StatusOr<std::optional<StateEntry>> result = std::optional<StateEntry>();
    {
      absl::MutexLock lock(&mutex_);
      if (!failure_.ok()) {
        result = failure_;
      } else if (const auto found = entries_.find(absl::StrCat(bucket, "\n", key));
                 found != entries_.end() && found->second.expires > clock_.Now()) {
        result = std::optional<StateEntry>(found->second);
      }
    }
    Finish([done = std::move(done), result = std::move(result)]() mutable { std::move(done)(std::move(result)); });
  }

  void List(std::string bucket, std::string prefix, std::string after_key, size_t limit, ListCallback done) override {
    absl::StatusOr<std::vector<StateEntry>> result = std::vector<StateEntry>();
    {
      absl::MutexLock lock(&mutex_);
      if (!failure_.ok()) result = failure_;
      for (const auto& [name, entry] : entries_) {
        if (!result.ok() || result->size() >= limit) break;
        if (!absl::StartsWith(name, absl::StrCat(bucket, "\n")) || !absl::StartsWith(entry.key, prefix)) continue;
        if (entry.key > after_key && entry.expires > clock_.Now()) result->push_back(entry);
      }
    }
    Finish([done = std::move(done), result = std::move(result)]() mutable { std::move(done)(std::move(result)); });
  }

  // Every call from now on fails so; OK ends it.
  void FailWith(absl::Status failure) {
    absl::MutexLock lock(&mutex_);
    failure_ = std::move(failure);
  }

  // Answers wait until Release.
  void Hold() {
    absl::MutexLock lock(&mutex_);
    holding_ = true;
  }

  void Release() {
    std::vector<absl::AnyInvocable<void()>> held;
    {
      absl::MutexLock lock(&mutex_);
      holding_ = false;
      held.swap(held_);
    }
    for (auto& answer : held) answer();
  }

  size_t size() const {
    absl::MutexLock lock(&mutex_);
    return entries_.size();
  }

 private:
  absl::StatusOr<uint64_t> Apply(StateWrite write) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const std::string name = absl::StrCat(write.bucket, "\n", write.key);
    const auto found = entries_.find(name);
    const bool present = found != entries_.end() && found->second.expires > clock_.Now();
    const uint64_t revision = present ? found->second.revision : 0;
    if (write.expected_revision.has_value() && *write.expected_revision != revision) {
      return absl::AbortedError("the key stands at another revision");
    }
    if (!write.value.has_value()) {
      entries_.erase(name);
      return 0;
    }
    entries_[name] = StateEntry{write.key, *std::move(write.value), ++last_revision_, write.expires};
    return last_revision_;
  }

  void Finish(absl::AnyInvocable<void()> answer) {
    {
      absl::MutexLock lock(&mutex_);
      if (holding_) {
        held_.push_back(std::move(answer));
        return;
      }
    }
    answer();
  }

  const Clock& clock_;
  mutable absl::Mutex mutex_;
  std::map<std::string, StateEntry> entries_ ABSL_GUARDED_BY(mutex_);
  uint64_t last_revision_ ABSL_GUARDED_BY(mutex_) = 0;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  bool holding_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<absl::AnyInvocable<void()>> held_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace aulm::gateway
