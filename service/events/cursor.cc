#include "service/events/cursor.h"

#include "absl/strings/str_cat.h"
#include "service/base/status_details.h"
#include "xxhash.h"

namespace aulm::gateway {
namespace {

constexpr uint8_t kVersion = 1;
constexpr size_t kChecksumAt = kCursorBytes - 4;

void Put32(uint32_t value, char* out) {
  for (int i = 3; i >= 0; --i, value >>= 8) out[i] = static_cast<char>(value);
}

void Put64(uint64_t value, char* out) {
  Put32(static_cast<uint32_t>(value >> 32), out);
  Put32(static_cast<uint32_t>(value), out + 4);
}

uint32_t Get32(const char* in) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value = value << 8 | static_cast<uint8_t>(in[i]);
  return value;
}

uint64_t Get64(const char* in) { return uint64_t{Get32(in)} << 32 | Get32(in + 4); }

uint32_t Checksum(const char* cursor) { return static_cast<uint32_t>(XXH3_64bits(cursor, kChecksumAt)); }

absl::Status Invalid(absl::string_view why) {
  return GatewayError(GatewayReason::kCursorInvalid,
                      absl::StrCat("the cursor ", why, ": give back a cursor of this gateway's, byte for byte"));
}

}  // namespace

void EncodeCursor(const Cursor& cursor, char* out) {
  out[0] = static_cast<char>(kVersion);
  Put64(cursor.epoch, out + 1);
  Put64(cursor.sequence, out + 9);
  Put32(cursor.fingerprint, out + 17);
  Put32(Checksum(out), out + kChecksumAt);
}

std::string EncodeCursor(const Cursor& cursor) {
  std::string bytes(kCursorBytes, '\0');
  EncodeCursor(cursor, bytes.data());
  return bytes;
}

absl::StatusOr<Cursor> DecodeCursor(absl::string_view bytes) {
  if (bytes.empty()) return Invalid("is empty");
  if (static_cast<uint8_t>(bytes.front()) != kVersion)
    return Invalid("is of a version that this gateway does not know");
  if (bytes.size() != kCursorBytes)
    return Invalid(absl::StrCat("has ", bytes.size(), " bytes instead of ", kCursorBytes));
  if (Get32(bytes.data() + kChecksumAt) != Checksum(bytes.data())) return Invalid("is damaged");
  Cursor cursor;
  cursor.epoch = Get64(bytes.data() + 1);
  cursor.sequence = Get64(bytes.data() + 9);
  cursor.fingerprint = Get32(bytes.data() + 17);
  return cursor;
}

uint32_t Fingerprint(const LoggedEvent& event) {
  // Three short hashes, each seeded by the one before: XXH3's streaming state costs more than all of them.
  char place[16];
  Put64(event.sequence, place);
  Put64(static_cast<uint64_t>(absl::ToUnixMillis(event.ingested)), place + 8);
  uint64_t hash = XXH3_64bits(place, sizeof(place));
  hash = XXH3_64bits_withSeed(event.delivery_id.data(), event.delivery_id.size(), hash);
  hash = XXH3_64bits_withSeed(event.event.data(), event.event.size(), hash);
  const auto fingerprint = static_cast<uint32_t>(hash ^ hash >> 32);
  return fingerprint == 0 ? 1 : fingerprint;
}

}  // namespace aulm::gateway
