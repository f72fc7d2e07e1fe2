#pragma once

#include <string>

#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace aulm::gateway::ctl {

// `text` (UTF-8, from anybody) made fit for one line of a terminal: line breaks and control characters, with which a
// sender could move the cursor or recolour the screen, and the marks that turn the direction of what follows, are
// written out (\n, \x1b, \u202e).
std::string OneLine(absl::string_view text);

// "2026-05-28T10:15:42.000Z": UTC, and what --from takes. "-" when absent (all zero).
std::string TimeText(const google::protobuf::Timestamp& time);

// "1.5s", "12m30s", rounded to what people care for.
std::string DurationText(absl::Duration duration);

// "2.1 MB".
std::string SizeText(size_t bytes);

}  // namespace aulm::gateway::ctl
