#pragma once

#include <span>
#include <string>

#include "absl/strings/string_view.h"

namespace aulm::simulator {

// One row of the error table of the aulm API, "Errors".
struct AulmErrorRow {
  absl::string_view code;
  int http_status;
  absl::string_view message;   // what the simulator says when nothing more exact is known
  bool retry_after = false;    // the answer carries Retry-After
  bool quota = false;          // a 429 quota answer: carries x-ratelimit-* on send endpoints
  bool slot_refunded = false;  // the send's quota slot is given back
};

// Every row, in the order of the table.
std::span<const AulmErrorRow> AulmErrorTable();

// The row of `code`, or null when the table has none.
const AulmErrorRow* FindAulmError(absl::string_view code);

// `{"error": {"code": "…", "message": "…"}}`.
std::string AulmErrorBody(absl::string_view code, absl::string_view message);

}  // namespace aulm::simulator
