#include "tests/bench/support/bench_report.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace aulm::gateway {
namespace {

constexpr int kTextWidth = 22;

int Width(const std::string& head) { return std::max(12, static_cast<int>(head.size()) + 2); }

// Three significant digits where that is enough.
std::string Shown(double value) {
  char text[32];
  const double size = value < 0 ? -value : value;
  std::snprintf(text, sizeof(text), size >= 100 ? "%.0f" : size >= 10 ? "%.1f" : "%.3g", value);
  return text;
}

}  // namespace

BenchReport::~BenchReport() {
  const char* const chosen = std::getenv("AULM_GATEWAY_BENCH_OUT");
  const std::filesystem::path folder = chosen == nullptr ? "build/bench" : chosen;
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  std::ofstream file(folder / (name_ + ".json"));
  file << "{\"bench\": \"" << name_ << "\", \"cores\": " << sysconf(_SC_NPROCESSORS_ONLN) << ", \"rows\": [";
  const char* separator = "\n";
  for (const Entry& entry : entries_) {
    file << separator << "  {\"part\": \"" << entry.part << "\"";
    for (const auto& [key, value] : entry.what) file << ", \"" << key << "\": \"" << value << "\"";
    for (const auto& [key, value] : entry.figures) file << ", \"" << key << "\": " << value;
    file << "}";
    separator = ",\n";
  }
  file << "\n]}\n";
}

void BenchReport::Begin(const std::string& part, const std::string& title) {
  part_ = part;
  head_printed_ = false;
  std::printf("\n%s\n", title.c_str());
}

void BenchReport::Row(const Texts& what, const Numbers& figures) {
  if (!head_printed_) {
    for (const auto& [key, value] : what) std::printf("%-*s", kTextWidth, key.c_str());
    for (const auto& [key, value] : figures) std::printf("%*s", Width(key), key.c_str());
    std::printf("\n");
    head_printed_ = true;
  }
  for (const auto& [key, value] : what) std::printf("%-*s", kTextWidth, value.c_str());
  for (const auto& [key, value] : figures) std::printf("%*s", Width(key), Shown(value).c_str());
  std::printf("\n");
  std::fflush(stdout);
  entries_.push_back({part_, what, figures});
}

}  // namespace aulm::gateway
