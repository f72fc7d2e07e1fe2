#pragma once

#include <string>
#include <utility>
#include <vector>

namespace aulm::gateway {

// The figures of one benchmark: printed as they come, and written as JSON to build/bench/<name>.json at the end (or to
// the folder that AULM_GATEWAY_BENCH_OUT names; docs/benchmarks.md says how the plots are made of it).
class BenchReport {
 public:
  using Texts = std::vector<std::pair<std::string, std::string>>;
  using Numbers = std::vector<std::pair<std::string, double>>;

  explicit BenchReport(std::string name) : name_(std::move(name)) {}
  // Writes the file.
  ~BenchReport();

  BenchReport(const BenchReport&) = delete;
  BenchReport& operator=(const BenchReport&) = delete;

  // A new table.
  void Begin(const std::string& part, const std::string& title);
  // One row of it: who was measured under what, and the figures. The first row of a table prints its head.
  void Row(const Texts& what, const Numbers& figures);

 private:
  struct Entry {
    std::string part;
    Texts what;
    Numbers figures;
  };

  const std::string name_;
  std::string part_;
  bool head_printed_ = false;
  std::vector<Entry> entries_;
};

}  // namespace aulm::gateway
