#include "service/base/log_writer.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace aulm::gateway {
namespace {

// How long a line waits for company.
constexpr absl::Duration kPatience = absl::Milliseconds(10);
// A pipe that is not blocking and full: how long to wait before looking again.
constexpr int kFullPipeMs = 100;

void WriteAll(int fd, absl::string_view text) {
  while (!text.empty()) {
    const ssize_t put = write(fd, text.data(), text.size());
    if (put > 0) {
      text.remove_prefix(static_cast<size_t>(put));
    } else if (errno == EAGAIN) {
      pollfd ready{fd, POLLOUT, 0};
      poll(&ready, 1, kFullPipeMs);
    } else if (errno != EINTR) {
      return;  // nobody is there to be told
    }
  }
}

}  // namespace

LogWriter::LogWriter(int fd, std::string (*lost_line)(uint64_t lines), Options options)
    : fd_(fd), lost_line_(lost_line), options_(options), thread_([this] { Run(); }) {}

LogWriter::~LogWriter() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    changed_.Signal();
  }
  thread_.join();
}

void LogWriter::Write(absl::string_view line, bool urgent) {
  absl::MutexLock lock(&mutex_);
  waiting_.append(line.data(), line.size());
  if (waiting_.size() > options_.buffer_bytes) MakeRoom();
  const bool first_urgent = urgent && !urgent_;
  urgent_ |= urgent;
  if (idle_ || first_urgent) changed_.Signal();
}

void LogWriter::MakeRoom() {
  // Half of it at once: moving the rest for every line would cost the square.
  const size_t end = waiting_.find('\n', waiting_.size() / 2) + 1;
  lost_ += static_cast<uint64_t>(std::count(waiting_.begin(), waiting_.begin() + static_cast<ptrdiff_t>(end), '\n'));
  waiting_.erase(0, end);
}

void LogWriter::WaitForLines() {
  while (waiting_.empty() && !stopping_) {
    idle_ = true;
    changed_.Wait(&mutex_);
  }
  idle_ = false;
  const absl::Time patience = absl::Now() + kPatience;
  while (!urgent_ && !stopping_ && !changed_.WaitWithDeadline(&mutex_, patience)) {
  }
}

void LogWriter::Run() {
  pthread_setname_np(pthread_self(), "log");
  std::string taken;
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      WaitForLines();
      if (waiting_.empty()) return;
      taken.clear();
      taken.swap(waiting_);
      urgent_ = false;
      if (lost_ > 0) taken.insert(0, lost_line_(std::exchange(lost_, 0)));
    }
    WriteAll(fd_, taken);
  }
}

}  // namespace aulm::gateway
