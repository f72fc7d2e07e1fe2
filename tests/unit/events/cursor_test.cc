#include "service/events/cursor.h"

#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"

namespace aulm::gateway {
namespace {

constexpr Cursor kCursor{0x0102030405060708, 0x1112131415161718, 0x21222324};

LoggedEvent SampleEvent() {
  LoggedEvent event;
  event.sequence = 42;
  event.ingested = absl::FromUnixMillis(1'780'000'000'123);
  event.delivery_id = "delivery";
  event.event = "encoded event";
  return event;
}

TEST(CursorTest, EncodesToTheDocumentedBytes) {
  const std::string bytes = EncodeCursor(kCursor);
  EXPECT_EQ(bytes.size(), kCursorBytes);
  EXPECT_EQ(absl::BytesToHexString(bytes.substr(0, 21)),
            "01"
            "0102030405060708"
            "1112131415161718"
            "21222324");
}

// Cursors are kept by callers for months: the bytes of a version never change.
TEST(CursorTest, ChecksumAndFingerprintStayWhatTheyWere) {
  EXPECT_EQ(absl::BytesToHexString(EncodeCursor(kCursor).substr(21)), "69953b93");
  EXPECT_EQ(Fingerprint(SampleEvent()), 43618957u);
}

TEST(CursorTest, DecodesWhatWasEncoded) {
  const absl::StatusOr<Cursor> decoded = DecodeCursor(EncodeCursor(kCursor));
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(decoded->epoch, kCursor.epoch);
  EXPECT_EQ(decoded->sequence, kCursor.sequence);
  EXPECT_EQ(decoded->fingerprint, kCursor.fingerprint);
}

TEST(CursorTest, EmptyIsInvalid) {
  const absl::Status status = DecodeCursor("").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(HasReason(status, GatewayReason::kCursorInvalid));
}

TEST(CursorTest, EveryFlippedBitIsInvalid) {
  for (size_t bit = 0; bit < kCursorBytes * 8; ++bit) {
    std::string bytes = EncodeCursor(kCursor);
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << bit % 8));
    EXPECT_TRUE(HasReason(DecodeCursor(bytes).status(), GatewayReason::kCursorInvalid)) << "bit " << bit;
  }
}

TEST(CursorTest, EveryOtherLengthIsInvalid) {
  const std::string bytes = EncodeCursor(kCursor) + "more";
  for (size_t length = 0; length <= bytes.size(); ++length) {
    if (length == kCursorBytes) continue;
    EXPECT_TRUE(HasReason(DecodeCursor(bytes.substr(0, length)).status(), GatewayReason::kCursorInvalid)) << length;
  }
}

TEST(CursorTest, FingerprintDependsOnEverythingStored) {
  std::set<uint32_t> fingerprints = {Fingerprint(SampleEvent())};
  LoggedEvent event = SampleEvent();
  event.sequence = 43;
  fingerprints.insert(Fingerprint(event));
  event = SampleEvent();
  event.ingested += absl::Milliseconds(1);
  fingerprints.insert(Fingerprint(event));
  event = SampleEvent();
  event.delivery_id = "deliverx";
  fingerprints.insert(Fingerprint(event));
  event = SampleEvent();
  event.event = "encoded evenx";
  fingerprints.insert(Fingerprint(event));
  // The same bytes, split elsewhere.
  event = SampleEvent();
  event.delivery_id = "deliver";
  event.event = "yencoded event";
  fingerprints.insert(Fingerprint(event));
  EXPECT_EQ(fingerprints.size(), 6u);
}

TEST(CursorTest, FingerprintIsTheSameWithAndWithoutTheRawBody) {
  LoggedEvent event = SampleEvent();
  event.raw_body = "{}";
  EXPECT_EQ(Fingerprint(event), Fingerprint(SampleEvent()));
}

}  // namespace
}  // namespace aulm::gateway
