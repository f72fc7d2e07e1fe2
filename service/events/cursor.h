#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "service/storage/event_log.h"

namespace aulm::gateway {

// What a cursor says: a place in one log, and which event was there. The bytes are opaque to callers (ADR 0003).
struct Cursor {
  uint64_t epoch = 0;        // LogInfo::epoch of the log that it was made for
  uint64_t sequence = 0;     // the place: reading continues after it
  uint32_t fingerprint = 0;  // of the event at `sequence`; 0 where there is none
};

// Every encoded cursor has this length: version (1), epoch (8), sequence (8), fingerprint (4), checksum (4), all big
// endian.
inline constexpr size_t kCursorBytes = 25;

std::string EncodeCursor(const Cursor& cursor);

// The same, into `out`, which has room for kCursorBytes.
void EncodeCursor(const Cursor& cursor, char* out);

// Error: INVALID_ARGUMENT CURSOR_INVALID when `bytes` is empty, of another length or version, or damaged. Says nothing
// about whether the log still covers it: see ResolveCursor.
absl::StatusOr<Cursor> DecodeCursor(absl::string_view bytes);

// 32 bits of XXH3 over what the log stores of an event (sequence, ingested, delivery id, encoded event); never 0. The
// same event has the same fingerprint for ever and in every copy of the log; another one at its sequence has not.
uint32_t Fingerprint(const LoggedEvent& event);

}  // namespace aulm::gateway
