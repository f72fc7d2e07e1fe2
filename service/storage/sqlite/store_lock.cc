#include "service/storage/sqlite/store_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

// The process id that the holder wrote; empty when there is none.
std::string Holder(int fd) {
  char text[32];
  const ssize_t size = pread(fd, text, sizeof(text), 0);
  if (size <= 0) return "";
  return std::string(absl::StripAsciiWhitespace(absl::string_view(text, static_cast<size_t>(size))));
}

absl::Status Held(const std::string& folder, const std::string& holder) {
  return absl::FailedPreconditionError(absl::StrCat(
      "store: ", folder, " is in use by ", holder.empty() ? "another process" : absl::StrCat("process ", holder),
      "; an embedded store serves one gateway: stop the other one, or give each a folder of its own"));
}

}  // namespace

absl::StatusOr<StoreLock> StoreLock::Take(const std::string& folder) {
  const std::string file = absl::StrCat(folder, "/lock");
  const int fd = open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return absl::UnavailableError(absl::StrCat("store: cannot open ", file, ": ", std::strerror(errno)));
  StoreLock lock(fd);
  if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EWOULDBLOCK) return Held(folder, Holder(fd));
    return absl::UnavailableError(absl::StrCat("store: cannot lock ", file, ": ", std::strerror(errno)));
  }
  // Only for the message that the next one gets: a full disk is no reason not to start.
  const std::string self = absl::StrCat(getpid(), "\n");
  if (ftruncate(fd, 0) == 0) {
    [[maybe_unused]] const ssize_t written = pwrite(fd, self.data(), self.size(), 0);
  }
  return lock;
}

StoreLock::StoreLock(StoreLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

StoreLock& StoreLock::operator=(StoreLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

StoreLock::~StoreLock() {
  if (fd_ >= 0) close(fd_);
}

}  // namespace aulm::gateway
