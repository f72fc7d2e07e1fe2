#include "service/admin/readiness.h"

#include "gtest/gtest.h"

namespace aulm::gateway {
namespace {

TEST(ReadinessTest, IsNotReadyBeforeAnyoneHasSpoken) { EXPECT_FALSE(Readiness().IsReady()); }

TEST(ReadinessTest, IsReadyWhenEveryCheckIs) {
  Readiness readiness;
  readiness.SetReady("store");
  EXPECT_TRUE(readiness.IsReady());
  readiness.SetNotReady("draining", "told to stop");
  EXPECT_FALSE(readiness.IsReady());
  readiness.SetReady("draining");
  EXPECT_TRUE(readiness.IsReady());
}

TEST(ReadinessTest, ListsChecksByNameWithTheirLatestReasons) {
  Readiness readiness;
  readiness.SetNotReady("store", "opening");
  readiness.SetReady("draining");
  readiness.SetNotReady("store", "the disk is full");
  const auto checks = readiness.Checks();
  ASSERT_EQ(checks.size(), 2u);
  EXPECT_EQ(checks[0].name, "draining");
  EXPECT_EQ(checks[0].reason, "");
  EXPECT_EQ(checks[1].name, "store");
  EXPECT_EQ(checks[1].reason, "the disk is full");
}

TEST(ReadinessTest, NotReadyWithoutAReasonIsNotReady) {
  Readiness readiness;
  readiness.SetNotReady("store", "");
  EXPECT_FALSE(readiness.IsReady());
}

}  // namespace
}  // namespace aulm::gateway
