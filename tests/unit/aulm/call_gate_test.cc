// When calls are stopped that could only do harm, and when they are let through again.
#include "service/aulm/call_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "google/rpc/error_details.pb.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"

namespace aulm::gateway {
namespace {

using ::testing::HasSubstr;
using Code = absl::StatusCode;

absl::Status FromAulm(Code code, absl::string_view reason) {
  return ErrorWithInfo(code, kAulmDomain, reason, "aulm said so", {{"http_status", "401"}});
}

absl::Status Revoked() { return FromAulm(Code::kFailedPrecondition, "API_KEY_REVOKED"); }

class CallGateTest : public testing::Test {
 protected:
  FakeClock clock_;
  std::shared_ptr<AddressCooldown> address_ = std::make_shared<AddressCooldown>();
  CallGate gate_{"shop", address_, clock_};
};

TEST_F(CallGateTest, LetsCallsThroughAtFirst) {
  EXPECT_EQ(gate_.Admit(1), absl::OkStatus());
  EXPECT_FALSE(gate_.suspended());
}

class RefusedKeyTest : public testing::TestWithParam<const char*> {};

TEST_P(RefusedKeyTest, SuspendsTheAccount) {
  FakeClock clock;
  CallGate gate("shop", std::make_shared<AddressCooldown>(), clock);
  ASSERT_TRUE(gate.Admit(1).ok());
  gate.Observe(1, FromAulm(Code::kFailedPrecondition, GetParam()));
  const absl::Status refusal = gate.Admit(1);
  EXPECT_EQ(refusal.code(), Code::kFailedPrecondition);
  EXPECT_TRUE(HasReason(refusal, GatewayReason::kAccountSuspended));
  EXPECT_EQ(DetailsOf(refusal)->metadata.at("aulm_reason"), GetParam());
  EXPECT_THAT(std::string(refusal.message()), HasSubstr("\"shop\""));
  google::rpc::PreconditionFailure detail;
  ASSERT_TRUE(ReadDetail(refusal, detail));
  EXPECT_EQ(detail.violations(0).type(), "API_KEY");
  EXPECT_TRUE(gate.suspended());
}

INSTANTIATE_TEST_SUITE_P(Codes, RefusedKeyTest,
                         testing::Values("INVALID_API_KEY", "API_KEY_REVOKED", "API_KEY_EXPIRED",
                                         "ACCOUNT_DEACTIVATED"));

TEST_F(CallGateTest, OtherErrorsSuspendNothing) {
  for (const char* reason :
       {"SESSION_NOT_FOUND", "SESSION_NOT_READY", "MISSING_AUTHORIZATION", "DAILY_QUOTA_EXCEEDED"}) {
    gate_.Observe(1, FromAulm(Code::kFailedPrecondition, reason));
    EXPECT_TRUE(gate_.Admit(1).ok()) << reason;
  }
}

TEST_F(CallGateTest, TheGatewaysOwnErrorOfThatNameSuspendsNothing) {
  gate_.Observe(1, ErrorWithInfo(Code::kFailedPrecondition, kGatewayDomain, "INVALID_API_KEY", "not aulm's"));
  EXPECT_TRUE(gate_.Admit(1).ok());
}

TEST_F(CallGateTest, OneProbeIsLetThroughEveryFiveMinutes) {
  ASSERT_TRUE(gate_.Admit(1).ok());
  gate_.Observe(1, Revoked());
  clock_.Advance(absl::Minutes(5) - absl::Seconds(1));
  EXPECT_FALSE(gate_.Admit(1).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(gate_.Admit(1).ok());
  EXPECT_FALSE(gate_.Admit(1).ok());  // one
  gate_.Observe(1, Revoked());
  clock_.Advance(absl::Minutes(5) - absl::Seconds(1));
  EXPECT_FALSE(gate_.Admit(1).ok());
  clock_.Advance(absl::Seconds(1));
  EXPECT_TRUE(gate_.Admit(1).ok());
}

TEST_F(CallGateTest, AProbeThatSucceedsLiftsIt) {
  gate_.Observe(1, Revoked());
  clock_.Advance(absl::Minutes(5));
  ASSERT_TRUE(gate_.Admit(1).ok());
  gate_.Observe(1, absl::OkStatus());
  EXPECT_TRUE(gate_.Admit(1).ok());
  EXPECT_FALSE(gate_.suspended());
}

TEST_F(CallGateTest, AProbeThatFailsForAnotherReasonOfTheSessionsLiftsIt) {
  gate_.Observe(1, Revoked());
  clock_.Advance(absl::Minutes(5));
  ASSERT_TRUE(gate_.Admit(1).ok());
  gate_.Observe(1, FromAulm(Code::kNotFound, "SESSION_NOT_FOUND"));
  EXPECT_TRUE(gate_.Admit(1).ok());
}

TEST_F(CallGateTest, AProbeThatSaysNothingOfTheKeyLeavesIt) {
  gate_.Observe(1, Revoked());
  clock_.Advance(absl::Minutes(5));
  ASSERT_TRUE(gate_.Admit(1).ok());
  gate_.Observe(1, GatewayError(GatewayReason::kConnectFailed, "no connection"));
  gate_.Observe(1, FromAulm(Code::kUnavailable, "SERVICE_UNAVAILABLE"));
  EXPECT_FALSE(gate_.Admit(1).ok());
}

TEST_F(CallGateTest, ANewKeyLiftsItAtOnce) {
  ASSERT_TRUE(gate_.Admit(1).ok());
  gate_.Observe(1, Revoked());
  EXPECT_TRUE(gate_.Admit(2).ok());
}

TEST_F(CallGateTest, ALateAnswerAboutTheOldKeySaysNothingOfTheNewOne) {
  ASSERT_TRUE(gate_.Admit(1).ok());
  ASSERT_TRUE(gate_.Admit(2).ok());
  gate_.Observe(1, Revoked());
  EXPECT_TRUE(gate_.Admit(2).ok());
  gate_.Observe(2, Revoked());
  gate_.Observe(1, absl::OkStatus());
  EXPECT_FALSE(gate_.Admit(2).ok());
}

TEST_F(CallGateTest, CooldownStopsEveryAccountOfTheAddress) {
  CallGate other("bank", address_, clock_);
  absl::Status too_many = FromAulm(Code::kResourceExhausted, "TOO_MANY_AUTH_FAILURES");
  SetRetryDelay(too_many, absl::Seconds(90));
  gate_.Observe(1, too_many);
  for (CallGate* gate : {&gate_, &other}) {
    const absl::Status refusal = gate->Admit(1);
    EXPECT_EQ(refusal.code(), Code::kResourceExhausted);
    EXPECT_EQ(ReasonOf(refusal), "TOO_MANY_AUTH_FAILURES");
    EXPECT_EQ(RetryDelayOf(refusal), absl::Seconds(90));
  }
  clock_.Advance(absl::Seconds(60));
  EXPECT_EQ(RetryDelayOf(other.Admit(1)), absl::Seconds(30));
  clock_.Advance(absl::Seconds(30));
  EXPECT_TRUE(gate_.Admit(1).ok());
  EXPECT_TRUE(other.Admit(1).ok());
}

TEST_F(CallGateTest, CooldownLeavesOtherAddressesAlone) {
  CallGate elsewhere("bank", std::make_shared<AddressCooldown>(), clock_);
  gate_.Observe(1, FromAulm(Code::kResourceExhausted, "TOO_MANY_AUTH_FAILURES"));
  EXPECT_TRUE(elsewhere.Admit(1).ok());
}

TEST_F(CallGateTest, CooldownWithoutADelayLastsTheDefault) {
  gate_.Observe(1, FromAulm(Code::kResourceExhausted, "TOO_MANY_AUTH_FAILURES"));
  EXPECT_EQ(RetryDelayOf(gate_.Admit(1)), absl::Minutes(1));
}

TEST_F(CallGateTest, AShorterCooldownDoesNotCutALongerOne) {
  address_->HoldUntil(clock_.Now() + absl::Minutes(10));
  address_->HoldUntil(clock_.Now() + absl::Minutes(1));
  EXPECT_EQ(RetryDelayOf(gate_.Admit(1)), absl::Minutes(10));
}

TEST_F(CallGateTest, ACooldownTakesNoProbe) {
  gate_.Observe(1, Revoked());
  clock_.Advance(absl::Minutes(5));
  address_->HoldUntil(clock_.Now() + absl::Minutes(1));
  EXPECT_FALSE(gate_.Admit(1).ok());
  clock_.Advance(absl::Minutes(1));
  EXPECT_TRUE(gate_.Admit(1).ok());  // the probe is still to be had
}

}  // namespace
}  // namespace aulm::gateway
