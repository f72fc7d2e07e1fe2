#pragma once

#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "prometheus/collectable.h"

namespace aulm::gateway {

// The content type of what WriteMetrics gives.
inline constexpr absl::string_view kMetricsContentType = "text/plain; version=0.0.4; charset=utf-8";

// Everything that `sources` collect, in Prometheus's text format.
std::string WriteMetrics(const std::vector<const prometheus::Collectable*>& sources);

}  // namespace aulm::gateway
