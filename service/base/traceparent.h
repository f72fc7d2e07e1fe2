#pragma once

#include "absl/strings/string_view.h"

namespace aulm::gateway {

// True for a W3C traceparent: "00-", 32 and 16 lower-case hexadecimal digits of which not all are 0, and flags. Later
// versions than 00 may go on after that, within 128 bytes.
bool IsTraceparent(absl::string_view text);

// The trace id within a traceparent, 32 digits, for log lines; empty when `text` is none. A view into `text`.
absl::string_view TraceIdOf(absl::string_view text);

}  // namespace aulm::gateway
