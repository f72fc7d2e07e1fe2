#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// How an engine keeps an event's attributes and its encoded form as one run of bytes: a version byte, type, status and
// flags, the lengths of the strings, the strings, the event. The raw body and the ingested time stand beside it.
std::string EncodeEventRecord(const NewEvent& event);

// Fills `event`'s attributes, delivery id and encoded form with views into `record`. False when `record` was not made
// by EncodeEventRecord.
bool DecodeEventRecord(absl::string_view record, LoggedEvent& event);

}  // namespace aulm::gateway
