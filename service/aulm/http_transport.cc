#include "service/aulm/http_transport.h"

namespace aulm::gateway {

absl::string_view HttpResponse::Header(absl::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace aulm::gateway
