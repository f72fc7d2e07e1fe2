// Timers of the real clock: order, cancelling, what a callback may do, and what is left when the clock goes.
#include "service/base/system_clock.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "absl/synchronization/notification.h"
#include "absl/time/clock.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;

// Calls a function when it is destroyed: what a timer's callback owns.
class AtEnd {
 public:
  explicit AtEnd(std::function<void()> call) : call_(std::move(call)) {}
  ~AtEnd() { call_(); }

 private:
  std::function<void()> call_;
};

// Keeps the clock's thread busy from construction to Release, so that a test can prepare timers that then run at once.
class BusyClock {
 public:
  BusyClock() {
    clock.CallAfter(absl::ZeroDuration(), [this] {
      entered_.Notify();
      release_.WaitForNotification();
    });
    entered_.WaitForNotification();
  }

  void Release() { release_.Notify(); }

  // Releases the thread, and returns when the timers that are due by now have run.
  void RunWhatIsDue() {
    absl::Notification ran;
    clock.CallAfter(absl::ZeroDuration(), [&] { ran.Notify(); });
    Release();
    ran.WaitForNotification();
  }

 private:
  absl::Notification entered_;
  absl::Notification release_;

 public:
  SystemClock clock;  // destroyed first: its thread uses the two above
};

TEST(SystemClockTest, NowIsTheWallClock) {
  SystemClock clock;
  const absl::Time before = absl::Now();
  const absl::Time now = clock.Now();
  EXPECT_GE(now, before);
  EXPECT_LE(now, absl::Now());
}

TEST(SystemClockTest, CallsBackAfterTheDelayOnAThreadOfItsOwn) {
  SystemClock clock;
  absl::Notification ran;
  std::thread::id ran_on;
  const auto start = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point at;

  clock.CallAfter(absl::Milliseconds(5), [&] {
    at = std::chrono::steady_clock::now();
    ran_on = std::this_thread::get_id();
    ran.Notify();
  });
  ran.WaitForNotification();

  EXPECT_GE(at - start, std::chrono::milliseconds(5));
  EXPECT_NE(ran_on, std::this_thread::get_id());
}

TEST(SystemClockTest, RunsInTheOrderOfDueTimes) {
  SystemClock clock;
  absl::Notification last;
  std::vector<int> order;
  clock.CallAfter(absl::Milliseconds(300), [&] {
    order.push_back(3);
    last.Notify();
  });
  clock.CallAfter(absl::ZeroDuration(), [&] { order.push_back(1); });
  clock.CallAfter(absl::Milliseconds(150), [&] { order.push_back(2); });
  last.WaitForNotification();
  EXPECT_THAT(order, ElementsAre(1, 2, 3));
}

TEST(SystemClockTest, EqualDelaysRunInTheOrderOfTheCalls) {
  BusyClock busy;
  std::vector<int> order;
  std::vector<int> expected;
  for (int i = 0; i < 1000; ++i) {
    busy.clock.CallAfter(absl::ZeroDuration(), [&order, i] { order.push_back(i); });
    expected.push_back(i);
  }
  busy.RunWhatIsDue();
  EXPECT_EQ(order, expected);
}

TEST(SystemClockTest, AnEarlierTimerDoesNotWaitForALaterOne) {
  SystemClock clock;
  absl::Notification ran;
  clock.CallAfter(absl::Hours(1), [] {});
  clock.CallAfter(absl::ZeroDuration(), [&] { ran.Notify(); });
  ran.WaitForNotification();
}

TEST(SystemClockTest, NegativeDelayRunsAtOnceAndInfiniteNever) {
  BusyClock busy;
  std::vector<int> order;
  busy.clock.CallAfter(absl::InfiniteDuration(), [&] { order.push_back(3); });
  busy.clock.CallAfter(-absl::Hours(1), [&] { order.push_back(1); });
  busy.clock.CallAfter(-absl::InfiniteDuration(), [&] { order.push_back(2); });
  busy.RunWhatIsDue();
  EXPECT_THAT(order, ElementsAre(1, 2));
}

TEST(SystemClockTest, ACallbackMaySetAndCancelTimers) {
  SystemClock clock;
  absl::Notification ran;
  bool cancelled = false;
  clock.CallAfter(absl::ZeroDuration(), [&] {
    const Clock::TimerId later = clock.CallAfter(absl::Hours(1), [] {});
    cancelled = clock.Cancel(later);
    clock.CallAfter(absl::ZeroDuration(), [&] { ran.Notify(); });
  });
  ran.WaitForNotification();
  EXPECT_TRUE(cancelled);
}

TEST(SystemClockTest, ACancelledTimerDoesNotRun) {
  BusyClock busy;
  bool ran = false;
  const Clock::TimerId timer = busy.clock.CallAfter(absl::ZeroDuration(), [&] { ran = true; });
  EXPECT_TRUE(busy.clock.Cancel(timer));
  busy.RunWhatIsDue();
  EXPECT_FALSE(ran);
}

TEST(SystemClockTest, CancellingTwiceIsFalseTheSecondTime) {
  SystemClock clock;
  const Clock::TimerId timer = clock.CallAfter(absl::Hours(1), [] {});
  EXPECT_TRUE(clock.Cancel(timer));
  EXPECT_FALSE(clock.Cancel(timer));
}

TEST(SystemClockTest, CancellingWhatNeverWasIsFalse) {
  SystemClock clock;
  EXPECT_FALSE(clock.Cancel(0));
  EXPECT_FALSE(clock.Cancel(12345));
}

TEST(SystemClockTest, CancellingATimerThatRunsIsFalse) {
  absl::Notification entered;
  absl::Notification release;
  SystemClock clock;  // destroyed first: the callback may still be looking at the two
  const Clock::TimerId timer = clock.CallAfter(absl::ZeroDuration(), [&] {
    entered.Notify();
    release.WaitForNotification();
  });
  entered.WaitForNotification();
  EXPECT_FALSE(clock.Cancel(timer));
  release.Notify();
}

TEST(SystemClockTest, CancelDestroysTheCallbackOutsideTheLock) {
  SystemClock clock;
  bool destroyed = false;
  auto owned = std::make_shared<AtEnd>([&] {
    clock.CallAfter(absl::Hours(1), [] {});  // would wait for ever under the clock's lock
    destroyed = true;
  });
  const Clock::TimerId timer = clock.CallAfter(absl::Hours(1), [owned = std::exchange(owned, nullptr)] {});
  EXPECT_TRUE(clock.Cancel(timer));
  EXPECT_TRUE(destroyed);
}

TEST(SystemClockTest, ACallbackThatRanIsDestroyedOutsideTheLock) {
  SystemClock clock;
  absl::Notification destroyed;
  auto owned = std::make_shared<AtEnd>([&] { clock.CallAfter(absl::ZeroDuration(), [&] { destroyed.Notify(); }); });
  clock.CallAfter(absl::ZeroDuration(), [owned = std::exchange(owned, nullptr)] {});
  destroyed.WaitForNotification();
}

TEST(SystemClockTest, DestroyingItDropsPendingTimers) {
  bool ran = false;
  auto owned = std::make_shared<int>(0);
  {
    SystemClock clock;
    clock.CallAfter(absl::Hours(1), [&ran, owned] { ran = true; });
    EXPECT_EQ(owned.use_count(), 2);
  }
  EXPECT_EQ(owned.use_count(), 1);
  EXPECT_FALSE(ran);
}

TEST(SystemClockTest, DestroyingItWaitsForTheCallbackThatRuns) {
  absl::Notification entered;
  absl::Notification release;
  std::atomic<bool> finished = false;
  std::optional<SystemClock> clock(std::in_place);
  clock->CallAfter(absl::ZeroDuration(), [&] {
    entered.Notify();
    release.WaitForNotification();
    finished = true;
  });
  entered.WaitForNotification();
  std::thread releasing([&] { release.Notify(); });
  clock.reset();
  EXPECT_TRUE(finished);
  releasing.join();
}

TEST(SystemClockTest, ManyThreadsSetAndCancelTimers) {
  constexpr int kThreads = 4;
  constexpr int kEach = 2000;
  std::atomic<int> ran = 0;
  std::atomic<int> cancelled = 0;
  {
    BusyClock busy;
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int n = 0; n < kEach; ++n) {
          const Clock::TimerId timer = busy.clock.CallAfter(absl::ZeroDuration(), [&] { ++ran; });
          if (n % 2 == 0 && busy.clock.Cancel(timer)) ++cancelled;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    busy.RunWhatIsDue();
  }
  EXPECT_EQ(cancelled, kThreads * kEach / 2);
  EXPECT_EQ(ran, kThreads * kEach / 2);
}

TEST(SystemClockTest, RunsNothingOnceItHasStopped) {
  std::atomic<bool> running{false};
  std::atomic<bool> ran{false};
  SystemClock clock;
  absl::Notification entered;
  clock.CallAfter(absl::ZeroDuration(), [&] {
    running = true;
    entered.Notify();
    std::this_thread::yield();
    running = false;
  });
  entered.WaitForNotification();
  clock.CallAfter(absl::Hours(1), [&] { ran = true; });
  clock.Stop();
  EXPECT_FALSE(running) << "what runs is waited for";
  clock.CallAfter(absl::ZeroDuration(), [&] { ran = true; });
  clock.Stop();
  EXPECT_FALSE(ran);
}

}  // namespace
}  // namespace aulm::gateway
