#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// The deduplication key of a delivery: exact (no two deliveries share one) and short, since millions are kept: a UUID
// in its usual lower-case form takes 16 bytes. Empty for an empty delivery id, which is never deduplicated.
std::string DeliveryKey(absl::string_view account, absl::string_view delivery_id);

}  // namespace aulm::gateway
