#pragma once

#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "prometheus/collectable.h"
#include "prometheus/metric_family.h"

namespace aulm::gateway {

// One collection of the metrics, to be asked by name: the admin page shows the very figures that /metrics gives. Not
// thread-safe.
class MetricValues {
 public:
  explicit MetricValues(const std::vector<const prometheus::Collectable*>& sources);

  // Every series of a family; none when there is no such family. Lives as long as this.
  const std::vector<prometheus::ClientMetric>& Series(absl::string_view family) const;

  // The sum over the family's series; of a histogram, its observations. With `label`, of the series that have that
  // value alone.
  double Sum(absl::string_view family, absl::string_view label = "", absl::string_view value = "") const;

  // Of a histogram: the sum of what was observed, over all series.
  double Observed(absl::string_view family) const;

 private:
  std::vector<prometheus::MetricFamily> families_;
  absl::flat_hash_map<absl::string_view, size_t> index_;  // names are those in families_
};

// The value of one label; empty when the series has none of that name.
absl::string_view LabelOf(const prometheus::ClientMetric& series, absl::string_view label);

}  // namespace aulm::gateway
