#include "service/http/served_request.h"

#include "absl/strings/match.h"

namespace aulm::gateway {

absl::string_view ServedRequest::Header(absl::string_view name) const {
  for (const HeaderView& header : headers) {
    if (absl::EqualsIgnoreCase(header.name, name)) return header.value;
  }
  return {};
}

size_t ServedRequest::CountHeader(absl::string_view name) const {
  size_t count = 0;
  for (const HeaderView& header : headers) {
    if (absl::EqualsIgnoreCase(header.name, name)) ++count;
  }
  return count;
}

}  // namespace aulm::gateway
