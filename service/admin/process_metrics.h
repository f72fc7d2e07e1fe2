#pragma once

#include <string>
#include <vector>

#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace aulm::gateway {

// What the kernel knows of this process, under the names that every Prometheus client gives it:
// process_cpu_seconds_total, process_resident_memory_bytes, process_virtual_memory_bytes, process_open_fds,
// process_max_fds, process_threads, process_start_time_seconds. Read from /proc at each collection; what cannot be read
// is left out. Thread-safe.
class ProcessMetrics final : public prometheus::Collectable {
 public:
  // `proc`: where the kernel tells of this process and of the machine. Tests have folders of their own.
  explicit ProcessMetrics(std::string proc_self = "/proc/self", std::string proc = "/proc");

  std::vector<prometheus::MetricFamily> Collect() const override;

 private:
  const std::string proc_self_;
  const std::string proc_;
};

}  // namespace aulm::gateway
