#include "service/admin/process_metrics.h"

#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <system_error>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"

namespace aulm::gateway {
namespace {

using prometheus::MetricFamily;
using prometheus::MetricType;

// Fields of /proc/self/stat after the command's closing parenthesis, where the first is the state: proc(5) counts the
// state as the third.
constexpr size_t kUserTicks = 14 - 3;
constexpr size_t kSystemTicks = 15 - 3;
constexpr size_t kThreads = 20 - 3;
constexpr size_t kStartTicks = 22 - 3;
constexpr size_t kVirtualBytes = 23 - 3;
constexpr size_t kResidentPages = 24 - 3;

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

void Add(std::vector<MetricFamily>& families, MetricType type, const char* name, const char* help, double value) {
  MetricFamily family{.name = name, .help = help, .type = type, .metric = {}};
  family.metric.emplace_back();
  (type == MetricType::Counter ? family.metric.back().counter.value : family.metric.back().gauge.value) = value;
  families.push_back(std::move(family));
}

// The wall clock's time of the boot, in seconds.
std::optional<double> ReadBootTime(const std::string& proc) {
  const std::string text = ReadAll(proc + "/stat");
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    double seconds;
    if (absl::ConsumePrefix(&line, "btime ") && absl::SimpleAtod(line, &seconds)) return seconds;
  }
  return std::nullopt;
}

std::optional<double> CountFiles(const std::string& folder) {
  std::error_code error;
  double count = 0;
  for (std::filesystem::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) ++count;
  if (error) return std::nullopt;
  return count;
}

}  // namespace

ProcessMetrics::ProcessMetrics(std::string proc_self, std::string proc)
    : proc_self_(std::move(proc_self)), proc_(std::move(proc)) {}

std::vector<MetricFamily> ProcessMetrics::Collect() const {
  std::vector<MetricFamily> families;
  const std::string stat = ReadAll(proc_self_ + "/stat");
  // The command may hold anything, also spaces and parentheses: the fields begin after the last.
  const size_t command_end = stat.rfind(") ");
  std::vector<absl::string_view> fields;
  if (command_end != std::string::npos) fields = absl::StrSplit(absl::string_view(stat).substr(command_end + 2), ' ');
  const auto field = [&fields](size_t index) -> std::optional<double> {
    uint64_t value;
    if (index >= fields.size() || !absl::SimpleAtoi(fields[index], &value)) return std::nullopt;
    return static_cast<double>(value);
  };
  const auto ticks_per_second = static_cast<double>(sysconf(_SC_CLK_TCK));

  if (const auto user = field(kUserTicks), system = field(kSystemTicks); user && system) {
    Add(families, MetricType::Counter, "process_cpu_seconds_total", "User and system time used, in seconds.",
        (*user + *system) / ticks_per_second);
  }
  if (const auto pages = field(kResidentPages)) {
    Add(families, MetricType::Gauge, "process_resident_memory_bytes", "Resident memory, in bytes.",
        *pages * static_cast<double>(sysconf(_SC_PAGESIZE)));
  }
  if (const auto bytes = field(kVirtualBytes)) {
    Add(families, MetricType::Gauge, "process_virtual_memory_bytes", "Virtual memory, in bytes.", *bytes);
  }
  if (const auto threads = field(kThreads)) {
    Add(families, MetricType::Gauge, "process_threads", "Threads.", *threads);
  }
  if (const auto start = field(kStartTicks), boot = ReadBootTime(proc_); start && boot) {
    Add(families, MetricType::Gauge, "process_start_time_seconds", "Start of the process, in seconds since 1970.",
        *boot + *start / ticks_per_second);
  }
  if (const auto files = CountFiles(proc_self_ + "/fd")) {
    Add(families, MetricType::Gauge, "process_open_fds", "Open file descriptors.", *files);
  }
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    Add(families, MetricType::Gauge, "process_max_fds", "File descriptors that may be open.",
        static_cast<double>(limit.rlim_cur));
  }
  return families;
}

}  // namespace aulm::gateway
