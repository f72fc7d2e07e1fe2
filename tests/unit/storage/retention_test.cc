// What leaves an embedded store by itself, and what does not.
#include <filesystem>

#include "gmock/gmock.h"
#include "service/storage/sqlite/connection.h"
#include "tests/unit/storage/store_fixture.h"

namespace aulm::gateway {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class RetentionTest : public StoreFixture {
 protected:
  RetentionTest() {
    options_.retention = absl::Hours(10);
    options_.dedupe_retention = absl::Hours(100);
  }

  // Rows of a table as they are in the file.
  int64_t Rows(const std::string& table) {
    absl::StatusOr<Connection> other = Connection::Open(DatabaseFile(), Connection::Use::kReader);
    return other.ok() ? other->QueryInteger(absl::StrCat("SELECT count(*) FROM ", table)).value_or(-1) : -1;
  }

  void AppendMany(int count, const std::string& prefix) {
    std::vector<NewEvent> events;
    for (int i = 0; i < count; ++i) events.push_back(EventOf(absl::StrCat(prefix, i)));
    for (const absl::StatusOr<Appended>& result : AppendAllNow(log(), std::move(events))) {
      ASSERT_TRUE(result.ok()) << result.status();
    }
  }
};

TEST_F(RetentionTest, EventsLeaveWhenTheyAreTooOldAndNotBefore) {
  Open();
  ASSERT_TRUE(Append("old").ok());
  PassTime(absl::Hours(6));
  ASSERT_TRUE(Append("young").ok());
  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("old", "young"));

  PassTime(absl::Hours(5));

  EXPECT_THAT(ReadDeliveryIds(), ElementsAre("young"));
  EXPECT_EQ(log().Info().earliest, 2u);
  EXPECT_EQ(log().Info().head, 2u);
  EXPECT_EQ(Rows("raw_bodies"), 1);
  EXPECT_EQ(Metric("aulm_log_expired_total"), 1);
  EXPECT_EQ(Metric("aulm_log_events"), 1);
}

TEST_F(RetentionTest, ManyEventsLeaveOneStepAfterTheOther) {
  Open();
  AppendMany(3000, "d-");

  PassTime(absl::Hours(11));

  EXPECT_THAT(ReadDeliveryIds(), IsEmpty());
  EXPECT_EQ(log().Info().earliest, 3001u);
  EXPECT_EQ(Metric("aulm_log_bytes"), 0);
}

TEST_F(RetentionTest, OldestEventsLeaveWhenTheLogIsTooLarge) {
  options_.max_bytes = 100'000;
  Open();
  for (int i = 0; i < 20; ++i) {
    NewEvent event = EventOf(absl::StrCat("d-", i));
    event.raw_body = std::string(10'000, 'r');
    ASSERT_TRUE(AppendNow(log(), std::move(event)).ok());
  }

  PassTime(absl::Seconds(2));

  const LogInfo info = log().Info();
  EXPECT_EQ(info.head, 20u);
  EXPECT_LE(Metric("aulm_log_bytes"), 100'000);
  EXPECT_GT(Metric("aulm_log_bytes"), 80'000) << "no more than needed";
  EXPECT_EQ(info.earliest, 12u);
}

TEST_F(RetentionTest, EventLargerThanTheBoundLeavesToo) {
  options_.max_bytes = 1000;
  Open();
  NewEvent event = EventOf("large");
  event.raw_body = std::string(10'000, 'r');
  ASSERT_TRUE(AppendNow(log(), std::move(event)).ok());

  PassTime(absl::Seconds(2));

  EXPECT_THAT(ReadDeliveryIds(), IsEmpty());
}

TEST_F(RetentionTest, SizeIsKnownAfterARestart) {
  Open();
  for (int i = 0; i < 20; ++i) {
    NewEvent event = EventOf(absl::StrCat("d-", i));
    event.raw_body = std::string(10'000, 'r');
    ASSERT_TRUE(AppendNow(log(), std::move(event)).ok());
  }
  options_.max_bytes = 100'000;
  Open();

  PassTime(absl::Seconds(2));

  EXPECT_EQ(log().Info().earliest, 12u);
}

TEST_F(RetentionTest, FileIsUsedAgainForWhatComesLater) {
  options_.max_bytes = 1;
  Open();
  const auto round = [this](int number) {
    AppendMany(2000, absl::StrCat(number, "-"));
    PassTime(absl::Seconds(2));
    EXPECT_EQ(log().Info().earliest, log().Info().head + 1);
  };
  round(0);
  Open();  // closing copies the write-ahead log into the file
  const auto size = std::filesystem::file_size(DatabaseFile());
  for (int i = 1; i <= 4; ++i) round(i);
  Open();

  // Deliveries stay known, so the file grows by them: about 40 bytes each.
  EXPECT_LT(std::filesystem::file_size(DatabaseFile()), size + 8000 * 80);
}

TEST_F(RetentionTest, DeliveryIsKnownForItsRetentionAndThenForgotten) {
  Open();
  ASSERT_TRUE(Append("d-1").ok());
  PassTime(absl::Hours(99));
  absl::StatusOr<Appended> again = Append("d-1");
  ASSERT_TRUE(again.ok());
  EXPECT_TRUE(again->duplicate);
  EXPECT_EQ(again->sequence, 0u) << "its event has left the log";

  PassTime(absl::Hours(2));

  again = Append("d-1");
  ASSERT_TRUE(again.ok());
  EXPECT_FALSE(again->duplicate);
}

TEST_F(RetentionTest, SweepOfDeliveriesComesToTheEndOfALargeTable) {
  Open();
  AppendMany(2500, "old-");
  PassTime(absl::Hours(50));
  AppendMany(2500, "young-");
  EXPECT_EQ(Rows("deliveries"), 2500) << "those whose events have left; the others are in their events";

  PassTime(absl::Hours(51), /*turns=*/40);
  PassTime(absl::Hours(2), /*turns=*/40);  // a sweep that began before the time passed is followed by another

  EXPECT_EQ(Rows("deliveries"), 2500);
  EXPECT_TRUE(Append("young-7")->duplicate);
}

TEST_F(RetentionTest, ExpiredStateLeavesTheFile) {
  Open();
  std::vector<StateWrite> writes;
  for (int i = 0; i < 2400; ++i) {
    writes.push_back(PutOf(absl::StrCat("k", i), "x"));
    writes.back().expires = i % 2 == 0 ? clock_.Now() + absl::Hours(1) : absl::InfiniteFuture();
  }
  WriteAllNow(state(), std::move(writes));
  PassTime(absl::Minutes(2), /*turns=*/40);  // they are merged into their table
  EXPECT_GE(Rows("state"), 2400);

  PassTime(absl::Hours(2), /*turns=*/40);
  PassTime(absl::Hours(2), /*turns=*/40);  // a sweep that began before the time passed is followed by another

  EXPECT_EQ(Rows("state"), 1200 + 1);
}

TEST_F(RetentionTest, WriteAheadLogStaysBoundedWhileReadersReadWithoutEnd) {
  Open();
  AppendMany(1000, "first-");
  std::atomic<bool> ended{false};
  std::thread reader([&] {
    while (!ended) EXPECT_TRUE(log().Read(0, {.max_events = 200}).ok());
  });

  for (int i = 0; i < 40; ++i) AppendMany(1000, absl::StrCat(i, "-"));

  ended = true;
  reader.join();
  // 40,000 events with their keys are some 80 MB of pages when each commit's are counted.
  EXPECT_LT(std::filesystem::file_size(absl::StrCat(DatabaseFile(), "-wal")), 24u << 20);
}

}  // namespace
}  // namespace aulm::gateway
