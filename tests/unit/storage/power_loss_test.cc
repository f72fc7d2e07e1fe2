// The power goes at any write or sync, again and again: what a store said is durable is there, once, and it can be
// opened.
#include <cstdlib>
#include <map>
#include <random>
#include <string>

#include "gmock/gmock.h"
#include "tests/support/power_loss_vfs.h"
#include "tests/unit/storage/store_fixture.h"

namespace aulm::gateway {
namespace {

constexpr int kMostSteps = 60;        // of one life
constexpr int kMostOperations = 250;  // in which the power goes
constexpr int kLivesOfAStore = 25;    // then a new one, since every life reads it whole

// Losses of power in one run: AULM_GATEWAY_POWER_LOSSES for the long form.
int Cycles() {
  const char* cycles = std::getenv("AULM_GATEWAY_POWER_LOSSES");
  return cycles == nullptr ? 60 : std::atoi(cycles);
}

class PowerLossTest : public StoreFixture {
 protected:
  ~PowerLossTest() override { Close(); }

  // Lives of stores that end with a loss of power, up to the first loss of something that was said to be durable.
  // Returns what was lost; empty: nothing, in `cycles` of them.
  std::string LiveAndDie(PowerLossVfs& disk, int cycles) {
    std::mt19937 random(20260530);
    for (int cycle = 0; cycle < cycles; ++cycle) {
      if (cycle % kLivesOfAStore == 0) {
        options_.url = absl::StrCat("sqlite://", folder_.path(), "/store-", cycle);
        events_.clear();
        state_.clear();
      }
      if (const std::string lost = Look(); !lost.empty()) return absl::StrCat(lost, ", life ", cycle);
      const bool in_start = random() % 4 == 0;
      if (in_start) Close();
      disk.CutAfter(static_cast<int>(random() % kMostOperations));
      if (!in_start || TryOpen().ok()) Work(cycle, random);
      Close();
      disk.LosePower(random);
    }
    return Look();
  }

  // Opens the store and holds it against what it had said.
  std::string Look() {
    if (const absl::Status opened = TryOpen(); !opened.ok())
      return absl::StrCat("cannot be opened: ", opened.message());
    if (const absl::Status checked = store_.full_check(); !checked.ok()) return std::string(checked.message());
    std::map<std::string, int> read;
    for (const std::string& id : ReadDeliveryIds()) {
      if (++read[id] > 1) return absl::StrCat(id, " is there twice");
    }
    for (const std::string& id : events_) {
      if (read.count(id) == 0) return absl::StrCat(id, " is lost");
    }
    for (const auto& [key, number] : state_) {
      const absl::StatusOr<std::optional<StateEntry>> entry = GetNow(state(), "test", key);
      if (!entry.ok() || !entry->has_value()) return absl::StrCat(key, " is lost");
      // Or a newer one, whose answer was cut off.
      if (std::stoi((*entry)->value) < number) return absl::StrCat(key, " went back");
    }
    if (!events_.empty() && !Append(events_.back())->duplicate) return absl::StrCat(events_.back(), " was forgotten");
    return "";
  }

  // Writes until the power is gone. Some bodies are large, so that the write-ahead log is also checkpointed.
  void Work(int cycle, std::mt19937& random) {
    for (int step = 0; step < kMostSteps; ++step) {
      NewEvent event = EventOf(absl::StrCat(cycle, "-", step));
      const std::string id = event.delivery_id;
      event.raw_body = std::string(random() % 5 == 0 ? 200'000 : random() % 2000, 'b');
      const absl::StatusOr<Appended> appended = AppendNow(log(), std::move(event));
      if (appended.ok()) events_.push_back(id);
      const std::string key = absl::StrCat("k", step % 7);
      const int number = cycle * kMostSteps + step;
      const bool written = WriteNow(state(), PutOf(key, absl::StrCat(number))).ok();
      if (written) state_[key] = number;
      if (!appended.ok() || !written) return;
    }
  }

  std::vector<std::string> events_;   // said to be durable
  std::map<std::string, int> state_;  // the newest of each key said to be durable
};

TEST_F(PowerLossTest, NothingSaidToBeDurableIsLost) {
  PowerLossVfs disk(PowerLossVfs::Synchronous::kAsAsked);
  EXPECT_EQ(LiveAndDie(disk, Cycles()), "");
  Close();  // before the file system under it
}

// Shows that the test above can fail: with fewer syncs it does.
TEST_F(PowerLossTest, SynchronousNormalLosesSomething) {
  PowerLossVfs disk(PowerLossVfs::Synchronous::kNormal);
  EXPECT_THAT(LiveAndDie(disk, Cycles()), testing::HasSubstr("is lost"));
  Close();
}

}  // namespace
}  // namespace aulm::gateway
