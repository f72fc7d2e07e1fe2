#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "service/http/served_request.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// A delivery in the form in which the log keeps it.
struct DecodedDelivery {
  NewEvent event;
  std::string event_name;  // aulm's own word; empty when there was none
  // The header said something else than the signed body, which won.
  bool event_disagrees = false;
  bool delivery_id_disagrees = false;
  bool unknown = false;  // stored as UnknownEvent
};

// What is in `request`, a delivery whose signature was verified. Takes the body out of the request. Every body can be
// decoded: what is not known is kept raw, what is of the wrong type counts as absent, and text that is not Unicode is
// repaired in the typed fields. Never throws.
DecodedDelivery DecodeDelivery(absl::string_view account, ServedRequest& request);

}  // namespace aulm::gateway
