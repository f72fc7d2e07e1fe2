#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace aulm::gateway {

// Holds a store's folder for this process: an flock on the file "lock" in it, which the kernel drops with the process
// however it ends. Two gateways on one embedded store would each believe to own the log.
class StoreLock {
 public:
  // Errors: FAILED_PRECONDITION when another process (or another store of this one) holds the folder; UNAVAILABLE when
  // the lock file cannot be made.
  static absl::StatusOr<StoreLock> Take(const std::string& folder);

  StoreLock(StoreLock&& other) noexcept;
  StoreLock& operator=(StoreLock&& other) noexcept;
  ~StoreLock();

 private:
  explicit StoreLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

}  // namespace aulm::gateway
