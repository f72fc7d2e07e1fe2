#include "service/webhook/iso_time.h"

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

absl::Time At(int64_t milliseconds) { return absl::FromUnixMillis(milliseconds); }

TEST(IsoTimeTest, ReadsWhatAulmSends) { EXPECT_EQ(ParseIsoTime("2026-05-28T10:15:42.000Z"), At(1779963342000)); }

TEST(IsoTimeTest, ReadsFractionsOfAnyLength) {
  EXPECT_EQ(ParseIsoTime("2026-05-28T10:15:42Z"), At(1779963342000));
  EXPECT_EQ(ParseIsoTime("2026-05-28T10:15:42.5Z"), At(1779963342500));
  EXPECT_EQ(ParseIsoTime("2026-05-28T10:15:42.123456789123Z"), At(1779963342000) + absl::Nanoseconds(123456789));
}

TEST(IsoTimeTest, ReadsZones) {
  EXPECT_EQ(ParseIsoTime("2026-05-28T13:15:42+03:00"), At(1779963342000));
  EXPECT_EQ(ParseIsoTime("2026-05-28T06:45:42-0330"), At(1779963342000));
  EXPECT_EQ(ParseIsoTime("2026-05-28t10:15:42z"), At(1779963342000));
}

TEST(IsoTimeTest, ReadsTheEdgesOfTheCalendar) {
  EXPECT_EQ(ParseIsoTime("0001-01-01T00:00:00Z"), absl::FromUnixSeconds(-62135596800));
  EXPECT_EQ(ParseIsoTime("9999-12-31T23:59:59Z"), absl::FromUnixSeconds(253402300799));
  EXPECT_EQ(ParseIsoTime("2024-02-29T00:00:00Z"), At(1709164800000));
  EXPECT_EQ(ParseIsoTime("2016-12-31T23:59:60Z"), At(1483228800000)) << "a leap second";
}

TEST(IsoTimeTest, RefusesWhatIsNoInstant) {
  for (const char* text : {"",
                           "now",
                           "infinite-future",
                           "2026-05-28",
                           "2026-05-28T10:15:42",
                           "2026-05-28 10:15:42Z",
                           "1779963342",
                           "2026-5-28T10:15:42Z",
                           "2026-13-01T00:00:00Z",
                           "2026-00-01T00:00:00Z",
                           "2026-02-29T00:00:00Z",
                           "2026-05-32T00:00:00Z",
                           "2026-05-28T24:00:00Z",
                           "2026-05-28T10:60:00Z",
                           "2026-05-28T10:15:61Z",
                           "2026-05-28T10:15:42.Z",
                           "2026-05-28T10:15:42,5Z",
                           "2026-05-28T10:15:42+3",
                           "2026-05-28T10:15:42+24:00",
                           "2026-05-28T10:15:42Zx",
                           " 2026-05-28T10:15:42Z",
                           "0000-01-01T00:00:00Z",
                           "0001-01-01T00:00:00+01:00",
                           "9999-12-31T23:59:59-01:00",
                           "12026-05-28T10:15:42Z",
                           "-026-05-28T10:15:42Z",
                           "2026-05-28T10:15:42.0000000000000000000000000000000Z"}) {
    EXPECT_EQ(ParseIsoTime(text), std::nullopt) << text;
  }
}

}  // namespace
}  // namespace aulm::gateway
