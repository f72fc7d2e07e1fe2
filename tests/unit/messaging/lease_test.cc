#include "service/messaging/lease.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_state_store.h"

namespace aulm::gateway {
namespace {

class LeaseTest : public testing::Test {
 protected:
  std::shared_ptr<Lease> Start(const std::string& owner, bool sole_owner = false) {
    auto lease = Lease::Create({.name = "work", .owner = owner, .sole_owner = sole_owner}, store_, clock_);
    lease->Start();
    return lease;
  }

  FakeClock clock_;
  FakeStateStore store_{clock_};
};

TEST_F(LeaseTest, OneHoldsItAndKeepsIt) {
  const auto first = Start("replica-1");
  const auto second = Start("replica-2");
  for (int minutes = 0; minutes < 10; ++minutes) {
    EXPECT_TRUE(first->held());
    EXPECT_FALSE(second->held());
    clock_.Advance(absl::Minutes(1));
  }
}

TEST_F(LeaseTest, AnotherTakesItOnceTheHolderIsDead) {
  auto first = Start("replica-1");
  const auto second = Start("replica-2");
  first.reset();

  clock_.Advance(absl::Seconds(29));
  EXPECT_FALSE(second->held());
  clock_.Advance(absl::Seconds(11));

  EXPECT_TRUE(second->held());
}

TEST_F(LeaseTest, AnotherTakesItSoonAfterItWasLetGo) {
  const auto first = Start("replica-1");
  const auto second = Start("replica-2");

  first->Stop();
  clock_.Advance(absl::Seconds(10));

  EXPECT_FALSE(first->held());
  EXPECT_TRUE(second->held());
}

TEST_F(LeaseTest, SoleOwnerDoesNotWaitForItsDeadSelf) {
  auto before = Start("process-1", /*sole_owner=*/true);
  before.reset();

  EXPECT_TRUE(Start("process-2", /*sole_owner=*/true)->held());
}

TEST_F(LeaseTest, HolderWhoCannotReachTheStoreStopsBelievingInIt) {
  const auto first = Start("replica-1");
  store_.FailWith(absl::UnavailableError("down"));

  clock_.Advance(absl::Seconds(28));

  EXPECT_FALSE(first->held());
}

}  // namespace
}  // namespace aulm::gateway
