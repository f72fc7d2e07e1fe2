#include "service/config/file_checks.h"

#include <atomic>
#include <thread>

#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"

namespace aulm::gateway {
namespace {

TEST(FileChecksTest, RunsEveryCheckOnceAnInterval) {
  FakeClock clock;
  FileChecks checks(clock);
  std::atomic<int> first = 0;
  std::atomic<int> second = 0;
  checks.Add([&] { ++first; });
  checks.Add([&] { ++second; });
  while (second < 3) {
    clock.Advance(FileChecks::kInterval);
    std::this_thread::yield();  // the thread sets its timer again when it has run every check
  }
  checks.Stop();
  EXPECT_EQ(first, second);
}

TEST(FileChecksTest, StopWaitsForTheCheckThatIsUnderWay) {
  FakeClock clock;
  FileChecks checks(clock);
  absl::Notification running;
  absl::Notification go_on;
  std::atomic<bool> done = false;
  checks.Add([&] {
    running.Notify();
    go_on.WaitForNotification();
    done = true;
  });
  while (!running.HasBeenNotified()) {
    clock.Advance(FileChecks::kInterval);
    std::this_thread::yield();
  }
  std::thread stopping([&] {
    checks.Stop();
    EXPECT_TRUE(done);
  });
  go_on.Notify();
  stopping.join();
}

TEST(FileChecksTest, ATimerThatOutlivesItFindsNobody) {
  FakeClock clock;
  {
    FileChecks checks(clock);
  }
  clock.Advance(FileChecks::kInterval);
}

}  // namespace
}  // namespace aulm::gateway
