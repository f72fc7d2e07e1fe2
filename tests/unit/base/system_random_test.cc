// Ids that have the form of a version 4 UUID and never come twice, and chances within their range.
#include "service/base/system_random.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <thread>
#include <vector>

#include "service/base/text.h"

namespace aulm::gateway {
namespace {

using ::testing::MatchesRegex;

TEST(SystemRandomTest, UuidIsVersionFourInLowerCase) {
  SystemRandom random;
  for (int i = 0; i < 1000; ++i) {
    const std::string uuid = random.Uuid();
    EXPECT_TRUE(IsUuid(uuid)) << uuid;
    EXPECT_THAT(uuid, MatchesRegex("[0-9a-f]+-[0-9a-f]+-4[0-9a-f]+-[89ab][0-9a-f]+-[0-9a-f]+"));
  }
}

TEST(SystemRandomTest, UuidsOfManyThreadsAreDistinct) {
  constexpr size_t kThreads = 4;
  constexpr size_t kEach = 5000;
  SystemRandom random;
  std::vector<std::vector<std::string>> made(kThreads);
  std::vector<std::thread> threads;
  for (std::vector<std::string>& own : made) {
    threads.emplace_back([&random, &own] {
      for (size_t i = 0; i < kEach; ++i) own.push_back(random.Uuid());
    });
  }
  for (std::thread& thread : threads) thread.join();

  std::set<std::string> distinct;
  for (const std::vector<std::string>& own : made) distinct.insert(own.begin(), own.end());
  EXPECT_EQ(distinct.size(), kThreads * kEach);
}

TEST(SystemRandomTest, UniformStaysBelowOneAndReachesEveryTenth) {
  SystemRandom random;
  std::set<int> tenths;
  for (int i = 0; i < 10'000; ++i) {
    const double value = random.Uniform();
    ASSERT_GE(value, 0.0);
    ASSERT_LT(value, 1.0);
    tenths.insert(static_cast<int>(value * 10));
  }
  EXPECT_EQ(tenths.size(), 10u);
}

TEST(SystemRandomTest, UniformDiffersBetweenThreads) {
  SystemRandom random;
  std::vector<double> here;
  std::vector<double> there;
  for (int i = 0; i < 4; ++i) here.push_back(random.Uniform());
  std::thread([&] {
    for (int i = 0; i < 4; ++i) there.push_back(random.Uniform());
  }).join();
  EXPECT_NE(here, there);
}

}  // namespace
}  // namespace aulm::gateway
