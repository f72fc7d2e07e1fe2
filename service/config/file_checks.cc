#include "service/config/file_checks.h"

#include <utility>

namespace aulm::gateway {

FileChecks::FileChecks(Clock& clock) : clock_(clock), wake_(std::make_shared<Wake>()), thread_([this] { Run(); }) {}

FileChecks::~FileChecks() { Stop(); }

void FileChecks::Add(std::function<void()> check) {
  auto added = std::make_shared<const std::function<void()>>(std::move(check));
  absl::MutexLock lock(&mutex_);
  checks_.push_back(std::move(added));
}

void FileChecks::Stop() {
  {
    absl::MutexLock lock(&wake_->mutex);
    wake_->stopping = true;
  }
  if (thread_.joinable()) thread_.join();
}

void FileChecks::Run() {
  while (true) {
    clock_.CallAfter(kInterval, [wake = wake_] {
      absl::MutexLock lock(&wake->mutex);
      wake->due = true;
    });
    {
      const auto is_woken = [this]() ABSL_SHARED_LOCKS_REQUIRED(wake_->mutex) { return wake_->due || wake_->stopping; };
      absl::MutexLock lock(&wake_->mutex, absl::Condition(&is_woken));
      if (wake_->stopping) return;
      wake_->due = false;
    }
    CheckAll();
  }
}

void FileChecks::CheckAll() {
  std::vector<std::shared_ptr<const std::function<void()>>> checks;
  {
    absl::MutexLock lock(&mutex_);
    checks = checks_;
  }
  for (const auto& check : checks) (*check)();
}

}  // namespace aulm::gateway
