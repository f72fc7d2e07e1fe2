#include "aulm/gateway/client/file_cursor_store.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

namespace aulm::gateway::client {
namespace {

constexpr size_t kMostFileBytes = 4096;

// A file descriptor, closed at the end of the scope.
class OpenFile {
 public:
  explicit OpenFile(int fd) : fd_(fd) {}
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  ~OpenFile() {
    if (fd_ >= 0) close(fd_);
  }
  int fd() const { return fd_; }

 private:
  const int fd_;
};

absl::Status SystemError(absl::string_view what, const std::string& path) {
  return absl::ErrnoToStatus(errno, absl::StrCat("cannot ", what, " the cursor file ", path));
}

// Writes all of `text`; false with errno set when that fails.
bool WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t written = write(fd, text.data(), text.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    text.remove_prefix(static_cast<size_t>(written));
  }
  return true;
}

}  // namespace

FileCursorStore::FileCursorStore(std::string path) : path_(std::move(path)), new_path_(path_ + ".new") {}

absl::StatusOr<std::string> FileCursorStore::Load() {
  const OpenFile file(open(path_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd() < 0) {
    if (errno == ENOENT) return std::string();
    return SystemError("read", path_);
  }
  std::string text(kMostFileBytes, '\0');
  const ssize_t length = read(file.fd(), text.data(), text.size());
  if (length < 0) return SystemError("read", path_);
  text.resize(static_cast<size_t>(length));
  std::string cursor;
  if (!absl::WebSafeBase64Unescape(absl::StripAsciiWhitespace(text), &cursor) || cursor.empty()) {
    return absl::DataLossError(absl::StrCat(
        "the cursor file ", path_, " holds no cursor: move it away to start anew, or put the last good one back"));
  }
  return cursor;
}

absl::Status FileCursorStore::Save(absl::string_view cursor) {
  {
    const OpenFile file(open(new_path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
    if (file.fd() < 0) return SystemError("write", new_path_);
    if (!WriteAll(file.fd(), absl::WebSafeBase64Escape(cursor) + "\n")) return SystemError("write", new_path_);
    if (fdatasync(file.fd()) != 0) return SystemError("write", new_path_);
  }
  if (std::rename(new_path_.c_str(), path_.c_str()) != 0) return SystemError("replace", path_);
  return absl::OkStatus();
}

}  // namespace aulm::gateway::client
