#include "service/admin/process_metrics.h"

#include <stdlib.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

std::map<std::string, double> Values(const ProcessMetrics& metrics) {
  std::map<std::string, double> values;
  for (const auto& family : metrics.Collect()) {
    const auto& metric = family.metric.at(0);
    values[family.name] = family.type == prometheus::MetricType::Counter ? metric.counter.value : metric.gauge.value;
  }
  return values;
}

class ProcessMetricsTest : public testing::Test {
 protected:
  ProcessMetricsTest() : proc_(testing::TempDir() + "/proc.XXXXXX") {
    if (mkdtemp(proc_.data()) == nullptr) abort();
    std::filesystem::create_directories(proc_ + "/self/fd");
  }
  ~ProcessMetricsTest() override { std::filesystem::remove_all(proc_); }

  void Write(const std::string& name, const std::string& content) { std::ofstream(proc_ + "/" + name) << content; }

  std::string proc_;
};

TEST_F(ProcessMetricsTest, ReadsWhatTheKernelTells) {
  // The command has a space and a parenthesis in it, as it may.
  Write("self/stat", "42 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 150 13 14 15 16 17 18 1000 8192000 300 20 21\n");
  Write("stat", "cpu 1 2 3\nbtime 1700000000\nprocesses 5\n");
  for (const std::string name : {"0", "1", "2"}) Write("self/fd/" + name, "");

  const auto values = Values(ProcessMetrics(proc_ + "/self", proc_));
  const auto ticks = static_cast<double>(sysconf(_SC_CLK_TCK));
  EXPECT_DOUBLE_EQ(values.at("process_cpu_seconds_total"), 400 / ticks);
  EXPECT_DOUBLE_EQ(values.at("process_threads"), 17);
  EXPECT_DOUBLE_EQ(values.at("process_start_time_seconds"), 1'700'000'000 + 1000 / ticks);
  EXPECT_DOUBLE_EQ(values.at("process_virtual_memory_bytes"), 8192000);
  EXPECT_DOUBLE_EQ(values.at("process_resident_memory_bytes"), 300.0 * static_cast<double>(sysconf(_SC_PAGESIZE)));
  EXPECT_DOUBLE_EQ(values.at("process_open_fds"), 3);
  EXPECT_GT(values.at("process_max_fds"), 0);
}

TEST_F(ProcessMetricsTest, LeavesOutWhatCannotBeRead) {
  Write("self/stat", "42 (a) S 1 2");
  const auto values = Values(ProcessMetrics(proc_ + "/self", proc_ + "/none"));
  EXPECT_FALSE(values.contains("process_cpu_seconds_total"));
  EXPECT_FALSE(values.contains("process_start_time_seconds"));
  EXPECT_TRUE(values.contains("process_open_fds"));
}

TEST_F(ProcessMetricsTest, TellsEverythingOfThisProcess) {
  const auto values = Values(ProcessMetrics());
  for (const std::string name :
       {"process_cpu_seconds_total", "process_resident_memory_bytes", "process_virtual_memory_bytes", "process_threads",
        "process_open_fds", "process_start_time_seconds"}) {
    EXPECT_TRUE(values.contains(name)) << name;
  }
  EXPECT_GT(values.at("process_resident_memory_bytes"), 1 << 20);
  EXPECT_GT(values.at("process_start_time_seconds"), 1'600'000'000);
}

}  // namespace
}  // namespace aulm::gateway
