#include "service/admin/metric_values.h"

#include <iterator>

#include "prometheus/metric_type.h"

namespace aulm::gateway {
namespace {

double ValueOf(const prometheus::ClientMetric& series, prometheus::MetricType type) {
  switch (type) {
    case prometheus::MetricType::Counter:
      return series.counter.value;
    case prometheus::MetricType::Gauge:
      return series.gauge.value;
    case prometheus::MetricType::Histogram:
      return static_cast<double>(series.histogram.sample_count);
    default:
      return 0;
  }
}

}  // namespace

MetricValues::MetricValues(const std::vector<const prometheus::Collectable*>& sources) {
  for (const prometheus::Collectable* const source : sources) {
    std::vector<prometheus::MetricFamily> more = source->Collect();
    families_.insert(families_.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  for (size_t i = 0; i < families_.size(); ++i) index_.emplace(families_[i].name, i);
}

const std::vector<prometheus::ClientMetric>& MetricValues::Series(absl::string_view family) const {
  static const auto* const kNone = new std::vector<prometheus::ClientMetric>();
  const auto found = index_.find(family);
  return found == index_.end() ? *kNone : families_[found->second].metric;
}

double MetricValues::Sum(absl::string_view family, absl::string_view label, absl::string_view value) const {
  const auto found = index_.find(family);
  if (found == index_.end()) return 0;
  double sum = 0;
  for (const prometheus::ClientMetric& series : families_[found->second].metric) {
    if (label.empty() || LabelOf(series, label) == value) sum += ValueOf(series, families_[found->second].type);
  }
  return sum;
}

double MetricValues::Observed(absl::string_view family) const {
  double sum = 0;
  for (const prometheus::ClientMetric& series : Series(family)) sum += series.histogram.sample_sum;
  return sum;
}

absl::string_view LabelOf(const prometheus::ClientMetric& series, absl::string_view label) {
  for (const prometheus::ClientMetric::Label& each : series.label) {
    if (each.name == label) return each.value;
  }
  return {};
}

}  // namespace aulm::gateway
