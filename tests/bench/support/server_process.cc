#include "tests/bench/support/server_process.h"

#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <utility>

#include "absl/strings/str_cat.h"

namespace aulm::gateway {
namespace {

ChildProcess StartOrExit(const std::vector<std::string>& command) {
  auto child = ChildProcess::Start(command, {}, "/dev/null");
  if (!child.ok()) {
    std::fprintf(stderr, "%s\n", child.status().ToString().c_str());
    std::exit(1);
  }
  return *std::move(child);
}

}  // namespace

ServerProcess::ServerProcess(const std::vector<std::string>& command) : child_(StartOrExit(command)) {
  const auto line = child_.ReadLine(absl::Minutes(2));
  if (!line.ok()) {
    std::fprintf(stderr, "%s did not start: %s\n", command.front().c_str(), line.status().ToString().c_str());
    std::exit(1);
  }
  address_ = line->substr(line->rfind(' ') + 1);
}

absl::Duration CpuOf(pid_t pid) {
  clockid_t clock;
  timespec used;
  if (clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &used) != 0) return absl::ZeroDuration();
  return absl::DurationFromTimespec(used);
}

int64_t ResidentBytesOf(pid_t pid) {
  std::ifstream statm(absl::StrCat("/proc/", pid, "/statm"));
  int64_t size = 0;
  int64_t resident = 0;
  statm >> size >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

double Median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}  // namespace aulm::gateway
