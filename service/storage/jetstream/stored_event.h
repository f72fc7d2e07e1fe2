#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// How an event lies in the log's stream: its subject says account, type and session, so that a person can look for it
// with NATS' own tools; its payload is the length of the record (4 bytes, little endian), the record (event_record.h)
// and the raw body as it came. Sequence and time are the stream's. Of an event that was copied from another store the
// length has its highest bit set, and the time of that store (8 bytes, milliseconds since the epoch) comes before the
// record.

// aulm.events.default.message_status.<session id>, for the prefix "aulm". What cannot stand in a subject becomes "_".
std::string EventSubject(absl::string_view prefix, const NewEvent& event);

std::string EncodeStoredEvent(const NewEvent& event);
std::string EncodeCopiedEvent(const NewEvent& event, absl::Time ingested);

// The id under which a publish may be repeated within the stream's duplicate window: account/delivery id, in a form
// that a header can hold; two deliveries never share one. Empty for an event without a delivery id.
std::string EventMessageId(const NewEvent& event);

// The last token of the subject under which the deduplication bucket keeps a delivery: from DeliveryKey.
std::string DeliveryToken(absl::string_view delivery_key);

// Fills everything of `event` but its sequence with views into `payload`; ingested only where it says that, too. False
// when it is no event of ours.
bool DecodeStoredEvent(absl::string_view payload, LoggedEvent& event);

}  // namespace aulm::gateway
