// A process that writes to a store is killed again and again: what it was told is durable is there, once.
#include <signal.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/clock.h"
#include "tests/support/child_process.h"
#include "tests/unit/storage/store_fixture.h"

namespace aulm::gateway {
namespace {

constexpr int kKills = 20;
constexpr int kNumbersPerRun = 1'000'000;
constexpr absl::Duration kPatience = absl::Seconds(60);

class StoreCrashTest : public StoreFixture {
 protected:
  StoreCrashTest() {
    options_.max_queued_appends = 1 << 20;
    clock_.Advance(absl::Now() - clock_.Now());  // the writer goes by the machine's: nothing may be too old for it
  }

  // Runs the writer until it was told `answers` answers, kills it, and notes every answer that it told.
  void RunAndKill(int first, int answers) {
    absl::StatusOr<ChildProcess> writer =
        ChildProcess::Start({BinaryPath("store_writer"), StoreFolder(), absl::StrCat(first)}, {});
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (int answer = 0; answer < answers; ++answer) Note(writer->ReadLine(kPatience));
    writer->Signal(SIGKILL);
    // What stood in the pipe was told too.
    while (true) {
      absl::StatusOr<std::string> line = writer->ReadLine(kPatience);
      if (absl::IsOutOfRange(line.status())) break;
      Note(line);
    }
    ASSERT_EQ(writer->Wait(kPatience).value_or(0), 128 + SIGKILL);
  }

  void Note(const absl::StatusOr<std::string>& line) {
    ASSERT_TRUE(line.ok()) << line.status();
    const std::vector<std::string> words = absl::StrSplit(*line, ' ');
    int number = 0;
    ASSERT_TRUE(words.size() >= 2 && absl::SimpleAtoi(words[1], &number)) << *line;
    if (words[0] == "state") {
      int& newest = state_[absl::StrCat("k", number % 10)];
      newest = std::max(newest, number);
      return;
    }
    uint64_t sequence = 0;
    ASSERT_TRUE(words.size() == 3 && absl::SimpleAtoi(words[2], &sequence)) << *line;
    events_[absl::StrCat("d-", number)] = sequence;
  }

  std::map<std::string, uint64_t> events_;  // every event told to be durable, and where
  std::map<std::string, int> state_;        // the newest write of each key told to be durable
};

TEST_F(StoreCrashTest, EverythingAcknowledgedIsReadableExactlyOnceAfterEveryKill) {
  // Enough that the keys of deliveries are merged into their table while the kills go on.
  Open();
  std::vector<NewEvent> first;
  for (int i = 0; i < 28'000; ++i) first.push_back(EventOf(absl::StrCat("first-", i)));
  for (const absl::StatusOr<Appended>& result : AppendAllNow(log(), std::move(first))) {
    ASSERT_TRUE(result.ok()) << result.status();
    events_[absl::StrCat("first-", events_.size())] = result->sequence;
  }
  Close();
  std::mt19937 random(20261122);
  uint64_t epoch = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    const int answers = std::uniform_int_distribution<int>(1, 3000)(random);
    ASSERT_NO_FATAL_FAILURE(RunAndKill(kill * kNumbersPerRun, answers));

    Open();

    if (epoch == 0) epoch = log().Info().epoch;
    EXPECT_EQ(log().Info().epoch, epoch);
    std::map<std::string, uint64_t> read;
    uint64_t after = 0;
    while (true) {
      absl::StatusOr<EventPage> page = log().Read(after, {.raw_body = true});
      ASSERT_TRUE(page.ok()) << page.status();
      for (const LoggedEvent& event : page->events) {
        EXPECT_TRUE(read.emplace(event.delivery_id, event.sequence).second) << event.delivery_id << " is there twice";
      }
      if (page->end_of_log) break;
      after = page->events.back().sequence;
    }
    for (const auto& [id, sequence] : events_) {
      auto found = read.find(id);
      ASSERT_NE(found, read.end()) << id << " is lost after kill " << kill;
      EXPECT_EQ(found->second, sequence);
    }
    for (const auto& [key, number] : state_) {
      absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test", key);
      ASSERT_TRUE(entry.ok() && entry->has_value()) << key;
      // Or a newer one, whose answer was cut off.
      EXPECT_GE(std::stoi((*entry)->value), number) << key << " went back after kill " << kill;
    }
    // Sent again, as aulm does when it got no answer: known, wherever their keys stand by now. Some of them, for time's
    // sake, and others after each kill.
    std::vector<NewEvent> again;
    int skip = kill % 10;
    for (const auto& [id, sequence] : events_) {
      if (skip-- > 0) continue;
      again.push_back(EventOf(id));
      skip = 10;
    }
    for (const absl::StatusOr<Appended>& result : AppendAllNow(log(), std::move(again))) {
      ASSERT_TRUE(result.ok()) << result.status();
      EXPECT_TRUE(result->duplicate);
    }
    EXPECT_TRUE(store_.full_check().ok()) << store_.full_check();
    Close();
  }
  EXPECT_GT(events_.size(), 33'000u) << "too little was written between the kills";
}

}  // namespace
}  // namespace aulm::gateway
