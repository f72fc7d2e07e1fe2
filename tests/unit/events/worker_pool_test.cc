#include "service/events/worker_pool.h"

#include <atomic>
#include <vector>

#include "absl/synchronization/blocking_counter.h"
#include "absl/synchronization/notification.h"
#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

TEST(WorkerPoolTest, RunsEveryJob) {
  WorkerPool pool(2);
  absl::BlockingCounter left(100);
  for (int i = 0; i < 100; ++i) pool.Post([&left] { left.DecrementCount(); });
  left.Wait();
}

TEST(WorkerPoolTest, ServesFirstComeFirstServed) {
  WorkerPool pool(1);
  std::vector<int> order;
  absl::Notification done;
  for (int i = 0; i < 10; ++i) pool.Post([&order, i] { order.push_back(i); });
  pool.Post([&done] { done.Notify(); });
  done.WaitForNotification();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}));
}

TEST(WorkerPoolTest, StopWaitsForTheRunningJobAndDropsTheRest) {
  WorkerPool pool(1);
  absl::Notification running, release;
  std::atomic<bool> finished = false, second = false;
  pool.Post([&] {
    running.Notify();
    release.WaitForNotification();
    finished = true;
  });
  pool.Post([&] { second = true; });
  running.WaitForNotification();
  std::thread releaser([&] { release.Notify(); });
  pool.Stop();
  releaser.join();
  EXPECT_TRUE(finished);
  EXPECT_FALSE(second && !finished);
  pool.Post([&] { second = true; });
}

}  // namespace
}  // namespace aulm::gateway
