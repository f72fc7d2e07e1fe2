// The newest events in memory: what they give is what the log would, and they give nothing where they have not all of
// it.
#include "service/storage/sqlite/committed_events.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "service/storage/event_record.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;

// Commits of one event each or of `in_commit`, from sequence `first` to `last`.
void Commit(CommittedEvents& recent, uint64_t first, uint64_t last, size_t in_commit = 1, size_t event_bytes = 10) {
  std::vector<CommittedEvent> commit;
  for (uint64_t sequence = first; sequence <= last; ++sequence) {
    NewEvent event;
    event.account = "default";
    event.delivery_id = absl::StrCat("d-", sequence);
    event.event = std::string(event_bytes, 'e');
    commit.push_back({sequence, 1000 + static_cast<int64_t>(sequence), EncodeEventRecord(event)});
    if (commit.size() < in_commit && sequence < last) continue;
    recent.Add(std::exchange(commit, {}));
  }
}

std::vector<uint64_t> Sequences(const std::optional<EventPage>& page) {
  std::vector<uint64_t> sequences;
  for (const LoggedEvent& event : page.value().events) sequences.push_back(event.sequence);
  return sequences;
}

TEST(CommittedEventsTest, GivesWhatStandsAfterAPosition) {
  CommittedEvents recent(2048);
  Commit(recent, 11, 15, 2);

  const std::optional<EventPage> page = recent.Read(12, 1, {});

  EXPECT_THAT(Sequences(page), ElementsAre(13, 14, 15));
  EXPECT_TRUE(page->end_of_log);
  EXPECT_EQ(page->events[0].delivery_id, "d-13");
  EXPECT_EQ(page->events[0].event, "eeeeeeeeee");
  EXPECT_EQ(page->events[0].ingested, absl::FromUnixMillis(1013));
}

TEST(CommittedEventsTest, APageOutlivesWhatIsKept) {
  CommittedEvents recent(2048);
  Commit(recent, 1, 1);
  const std::optional<EventPage> page = recent.Read(0, 1, {});
  Commit(recent, 2, 5000);

  EXPECT_FALSE(recent.Read(0, 1, {}).has_value());
  EXPECT_EQ(page->events[0].delivery_id, "d-1");
}

TEST(CommittedEventsTest, KeepsToTheLimits) {
  CommittedEvents recent(2048);
  Commit(recent, 1, 4, 4);
  ReadLimits two;
  two.max_events = 2;
  ReadLimits small;
  small.max_bytes = 25;  // of events of 10
  ReadLimits tiny;
  tiny.max_bytes = 1;

  EXPECT_THAT(Sequences(recent.Read(0, 1, two)), ElementsAre(1, 2));
  EXPECT_FALSE(recent.Read(0, 1, two)->end_of_log);
  EXPECT_THAT(Sequences(recent.Read(0, 1, small)), ElementsAre(1, 2));
  EXPECT_THAT(Sequences(recent.Read(0, 1, tiny)), ElementsAre(1));
}

TEST(CommittedEventsTest, LeavesToTheDatabaseWhatItHasNotAllOf) {
  CommittedEvents recent(2048);
  EXPECT_FALSE(recent.Read(0, 1, {}).has_value());
  Commit(recent, 11, 12);

  EXPECT_FALSE(recent.Read(9, 1, {}).has_value()) << "10 is not here";
  EXPECT_THAT(Sequences(recent.Read(10, 1, {})), ElementsAre(11, 12));
  EXPECT_FALSE(recent.Read(12, 1, {}).has_value()) << "there is nothing after it";
  EXPECT_FALSE(recent.Read(10, 12, {}).has_value()) << "11 was deleted meanwhile";
  ReadLimits raw;
  raw.raw_body = true;
  EXPECT_FALSE(recent.Read(10, 1, raw).has_value()) << "bodies are not kept";
}

TEST(CommittedEventsTest, KeepsNoneWhereNoneAreWanted) {
  CommittedEvents recent(0);
  Commit(recent, 1, 2);

  EXPECT_FALSE(recent.Read(0, 1, {}).has_value());
}

TEST(CommittedEventsTest, LargeEventsAreKeptByTheirBytes) {
  CommittedEvents recent(2048);
  Commit(recent, 1, 10, 1, size_t{1} << 20);

  EXPECT_FALSE(recent.Read(7, 1, {}).has_value());
  EXPECT_THAT(Sequences(recent.Read(9, 1, {})), ElementsAre(10));
}

}  // namespace
}  // namespace aulm::gateway
