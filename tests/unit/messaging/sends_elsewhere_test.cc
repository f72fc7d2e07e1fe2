#include "service/messaging/sends_elsewhere.h"

#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_peers.h"

namespace aulm::gateway {
namespace {

constexpr char kSession[] = "default\n11111111-1111-4111-8111-111111111111";

class SendsElsewhereTest : public testing::Test {
 protected:
  SendsElsewhereTest() { clock_.Advance(absl::Seconds(3)); }  // both know all there is to know

  // How often anybody tells anything, from now on.
  std::shared_ptr<int> CountNews() {
    auto count = std::make_shared<int>(0);
    network_->AddListener("counting", {[count](absl::string_view) { ++*count; }, [](bool) {}});
    return count;
  }

  FakeClock clock_;
  std::shared_ptr<FakePeerNetwork> network_ = std::make_shared<FakePeerNetwork>();
  FakePeers peers_{network_, "here"};
  FakePeers others_{network_, "there"};
  std::shared_ptr<SendsElsewhere> here_ = SendsElsewhere::Create(peers_, clock_);
  std::shared_ptr<SendsElsewhere> there_ = SendsElsewhere::Create(others_, clock_);
};

TEST_F(SendsElsewhereTest, ASendIsPossibleElsewhereAloneAndOnItsSessionAlone) {
  there_->Begin(kSession);

  EXPECT_TRUE(here_->Possible(kSession));
  EXPECT_FALSE(here_->Possible("default\n22222222-2222-4222-8222-222222222222"));
  EXPECT_FALSE(there_->Possible(kSession));
}

TEST_F(SendsElsewhereTest, LastsAsLongAsTheSendAndUntilItIsSettled) {
  there_->Begin(kSession);
  clock_.Advance(absl::Seconds(60));
  EXPECT_TRUE(here_->Possible(kSession));

  there_->End(kSession);
  clock_.Advance(absl::Milliseconds(1990));
  EXPECT_TRUE(here_->Possible(kSession));
  clock_.Advance(absl::Milliseconds(1010));

  EXPECT_FALSE(here_->Possible(kSession));
  EXPECT_EQ(clock_.pending_timers(), 0u);
}

TEST_F(SendsElsewhereTest, EndsWithTheLastOfSeveralSends) {
  there_->Begin(kSession);
  there_->Begin(kSession);
  there_->End(kSession);
  clock_.Advance(absl::Seconds(10));
  EXPECT_TRUE(here_->Possible(kSession));

  there_->End(kSession);
  clock_.Advance(absl::Seconds(3));

  EXPECT_FALSE(here_->Possible(kSession));
}

TEST_F(SendsElsewhereTest, ASessionIsToldOfAtMostOnceASecond) {
  const std::shared_ptr<int> told = CountNews();
  for (int i = 0; i < 1000; ++i) {
    there_->Begin(kSession);
    there_->End(kSession);
    clock_.Advance(absl::Milliseconds(10));
  }
  EXPECT_LE(*told, 11);
  EXPECT_GE(*told, 5);
  EXPECT_TRUE(here_->Possible(kSession));
}

TEST_F(SendsElsewhereTest, SessionsThatAreToldOfAgainShareTheNews) {
  for (int i = 0; i < 1200; ++i) there_->Begin(absl::StrCat(kSession, i));
  const std::shared_ptr<int> told = CountNews();

  clock_.Advance(absl::Seconds(30));

  EXPECT_EQ(*told, 30 * 3);
  for (int i = 0; i < 1200; ++i) EXPECT_TRUE(here_->Possible(absl::StrCat(kSession, i))) << i;
}

TEST_F(SendsElsewhereTest, WhoHasJustStartedDoesNotKnowYet) {
  FakePeers peers(network_, "new");
  const auto fresh = SendsElsewhere::Create(peers, clock_);
  EXPECT_TRUE(fresh->Possible(kSession));
  clock_.Advance(absl::Milliseconds(2999));
  EXPECT_TRUE(fresh->Possible(kSession));

  clock_.Advance(absl::Milliseconds(1));

  EXPECT_FALSE(fresh->Possible(kSession));
}

TEST_F(SendsElsewhereTest, WhoWasCutOffDoesNotKnowUntilAWhileAfterwards) {
  network_->SetSilent("here", true);
  there_->Begin(kSession);
  clock_.Advance(absl::Seconds(60));
  EXPECT_TRUE(here_->Possible("default\nany")) << "nobody is heard";

  network_->SetSilent("here", false);
  EXPECT_TRUE(here_->Possible(kSession));
  clock_.Advance(absl::Seconds(3));

  EXPECT_TRUE(here_->Possible(kSession)) << "told again";
  EXPECT_FALSE(here_->Possible("default\nany"));
}

TEST_F(SendsElsewhereTest, WhatWasToldWhileCutOffIsToldAgainAtOnceAfterwards) {
  network_->SetSilent("there", true);
  there_->Begin(kSession);
  EXPECT_FALSE(here_->Possible(kSession)) << "the news is lost";

  network_->SetSilent("there", false);

  EXPECT_TRUE(here_->Possible(kSession));
}

TEST_F(SendsElsewhereTest, NewsThatCannotBeReadIsLeft) {
  network_->Tell("there", "\xff\xff no news");
  EXPECT_FALSE(here_->Possible(kSession));
}

}  // namespace
}  // namespace aulm::gateway
