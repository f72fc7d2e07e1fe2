#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace aulm::gateway {

// Writes the log's lines to a file descriptor on a thread of its own, so that no caller waits for a slow terminal or
// pipe. Lines wait some milliseconds for company: many go out with one system call, and a busy service wakes the thread
// a hundred times a second, not once a line. When more waits than the buffer holds, the oldest lines give way, and a
// line says how many. Thread-safe.
class LogWriter {
 public:
  struct Options {
    size_t buffer_bytes = 1 << 20;
  };

  // `fd` outlives this. `lost_line` makes the line that tells of lost ones, its end included.
  LogWriter(int fd, std::string (*lost_line)(uint64_t lines), Options options);
  // Writes what waits.
  ~LogWriter();

  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;

  // Takes one line, with its end. An urgent one waits for no company. Never blocks.
  void Write(absl::string_view line, bool urgent) ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  void Run() ABSL_LOCKS_EXCLUDED(mutex_);
  void MakeRoom() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void WaitForLines() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const int fd_;
  std::string (*const lost_line_)(uint64_t lines);
  const Options options_;

  absl::Mutex mutex_;
  absl::CondVar changed_;
  std::string waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t lost_ ABSL_GUARDED_BY(mutex_) = 0;
  bool idle_ ABSL_GUARDED_BY(mutex_) = false;    // the thread waits for a first line
  bool urgent_ ABSL_GUARDED_BY(mutex_) = false;  // one of the waiting lines is
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace aulm::gateway
