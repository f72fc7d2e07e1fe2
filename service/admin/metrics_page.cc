#include "service/admin/metrics_page.h"

#include <iterator>
#include <utility>

#include "prometheus/text_serializer.h"

namespace aulm::gateway {

std::string WriteMetrics(const std::vector<const prometheus::Collectable*>& sources) {
  std::vector<prometheus::MetricFamily> families;
  for (const prometheus::Collectable* const source : sources) {
    std::vector<prometheus::MetricFamily> more = source->Collect();
    families.insert(families.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
  return prometheus::TextSerializer().Serialize(families);
}

}  // namespace aulm::gateway
