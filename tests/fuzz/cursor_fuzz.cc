#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "absl/strings/string_view.h"
#include "service/base/status_details.h"
#include "service/events/cursor.h"

// Bytes from a caller as a cursor: either refused as CURSOR_INVALID, or a cursor that encodes to the same bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace aulm::gateway;  // NOLINT(google-build-using-namespace)
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::StatusOr<Cursor> cursor = DecodeCursor(bytes);
  if (cursor.ok()) {
    if (EncodeCursor(*cursor) != bytes) std::abort();
  } else if (!HasReason(cursor.status(), GatewayReason::kCursorInvalid)) {
    std::abort();
  }
  // The checksum keeps most inputs out: take the same bytes as a cursor's contents, too.
  if (size >= 20) {
    Cursor made;
    for (size_t i = 0; i < 8; ++i) made.epoch = made.epoch << 8 | data[i];
    for (size_t i = 8; i < 16; ++i) made.sequence = made.sequence << 8 | data[i];
    for (size_t i = 16; i < 20; ++i) made.fingerprint = made.fingerprint << 8 | data[i];
    const absl::StatusOr<Cursor> again = DecodeCursor(EncodeCursor(made));
    if (!again.ok() || again->epoch != made.epoch || again->sequence != made.sequence ||
        again->fingerprint != made.fingerprint) {
      std::abort();
    }
  }
  return 0;
}
