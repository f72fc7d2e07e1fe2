#include "service/messaging/quotas.h"

#include <memory>
#include <optional>
#include <string>

#include "aulm/gateway/v1/rate_limit.pb.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "gtest/gtest.h"
#include "prometheus/text_serializer.h"
#include "service/base/status_details.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_state_store.h"

namespace aulm::gateway {
namespace {

using testing::HasSubstr;
using testing::Not;

class QuotasTest : public testing::Test {
 protected:
  QuotasTest() { Restart(); }

  // A new process with the same store.
  void Restart(bool refuse = true) {
    quotas_ = Quotas::Create({.refuse_when_used_up = refuse}, store_, clock_, registry_.emplace());
    quotas_->Load("default");
  }

  SendResult Accepted(int64_t remaining) const {
    SendResult result;
    result.rate_limit = RateLimit{1000, remaining, clock_.Now() + absl::Hours(3)};
    return result;
  }

  absl::StatusOr<std::optional<Quotas::Seen>> Get() {
    absl::StatusOr<std::optional<Quotas::Seen>> got;
    quotas_->Get("default", [&](absl::StatusOr<std::optional<Quotas::Seen>> seen) { got = std::move(seen); });
    return got;
  }

  std::string Metrics() { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

  FakeClock clock_;
  FakeStateStore store_{clock_};
  std::optional<prometheus::Registry> registry_;
  std::shared_ptr<Quotas> quotas_;
};

TEST_F(QuotasTest, NothingIsKnownBeforeAulmTold) {
  const auto seen = Get();

  ASSERT_TRUE(seen.ok());
  EXPECT_FALSE(seen->has_value());
  EXPECT_THAT(Metrics(), Not(HasSubstr("aulm_quota_remaining{")));
}

TEST_F(QuotasTest, LastAnswerIsToldWithItsTimeAndShownInTheMetrics) {
  quotas_->Note("default", Accepted(7));
  const absl::Time observed = clock_.Now();
  clock_.Advance(absl::Minutes(1));

  const auto seen = Get();

  ASSERT_TRUE(seen.ok() && seen->has_value());
  EXPECT_EQ((*seen)->limit.limit, 1000);
  EXPECT_EQ((*seen)->limit.remaining, 7);
  EXPECT_EQ((*seen)->limit.reset, observed + absl::Hours(3));
  EXPECT_EQ((*seen)->observed, observed);
  EXPECT_THAT(Metrics(), HasSubstr("aulm_quota_limit{account=\"default\"} 1000"));
  EXPECT_THAT(Metrics(), HasSubstr("aulm_quota_remaining{account=\"default\"} 7"));
}

TEST_F(QuotasTest, AnswerWithoutAQuotaChangesNothing) {
  quotas_->Note("default", Accepted(7));
  quotas_->Note("default", SendResult());
  quotas_->Note("default", absl::UnavailableError("no"));

  EXPECT_EQ((*Get())->limit.remaining, 7);
}

TEST_F(QuotasTest, RefusalOfAulmsTellsTheQuotaToo) {
  absl::Status refused = absl::ResourceExhaustedError("used up");
  v1::RateLimit limit;
  limit.set_limit(1000);
  limit.mutable_reset_time()->set_seconds(absl::ToUnixSeconds(clock_.Now() + absl::Hours(1)));
  SetDetail(refused, limit);

  quotas_->Note("default", refused);

  EXPECT_EQ((*Get())->limit.remaining, 0);
}

TEST_F(QuotasTest, SurvivesARestart) {
  quotas_->Note("default", Accepted(7));

  Restart();

  EXPECT_THAT(Metrics(), HasSubstr("aulm_quota_remaining{account=\"default\"} 7"));
  EXPECT_EQ((*Get())->limit.remaining, 7);
}

TEST_F(QuotasTest, ManyAnswersAreOneWriteASecond) {
  for (int left = 9; left >= 0; --left) quotas_->Note("default", Accepted(left));
  EXPECT_EQ(clock_.pending_timers(), 1u);
  clock_.Advance(absl::Seconds(1));
  EXPECT_EQ(clock_.pending_timers(), 0u);

  Restart();

  EXPECT_EQ((*Get())->limit.remaining, 0);
}

TEST_F(QuotasTest, UsedUpQuotaIsRefusedUntilItsReset) {
  quotas_->Note("default", Accepted(1));
  EXPECT_TRUE(quotas_->Check("default").ok());
  quotas_->Note("default", Accepted(0));
  clock_.Advance(absl::Hours(1));

  const absl::Status refusal = quotas_->Check("default");

  EXPECT_TRUE(HasReason(refusal, GatewayReason::kQuotaUsedUp)) << refusal;
  EXPECT_EQ(OutcomeOf(refusal), Outcome::kNotSent);
  EXPECT_EQ(RetryDelayOf(refusal), absl::Hours(2));
  google::rpc::QuotaFailure failure;
  ASSERT_TRUE(ReadDetail(refusal, failure));
  EXPECT_EQ(failure.violations(0).subject(), "account:default");
  EXPECT_TRUE(quotas_->Check("other").ok());
  clock_.Advance(absl::Hours(2));
  EXPECT_TRUE(quotas_->Check("default").ok());
}

TEST_F(QuotasTest, NothingIsRefusedUnlessAskedFor) {
  Restart(/*refuse=*/false);
  quotas_->Note("default", Accepted(0));

  EXPECT_TRUE(quotas_->Check("default").ok());
}

TEST_F(QuotasTest, QuotaWithoutAResetIsNotRefused) {
  SendResult result = Accepted(0);
  result.rate_limit->reset.reset();
  quotas_->Note("default", result);

  EXPECT_TRUE(quotas_->Check("default").ok());
}

TEST_F(QuotasTest, StoreThatFailsIsAnErrorOnlyWhereNothingIsKnown) {
  store_.FailWith(absl::UnavailableError("down"));
  EXPECT_TRUE(HasReason(Get().status(), GatewayReason::kStoreUnavailable));

  quotas_->Note("default", Accepted(7));

  EXPECT_TRUE(Get().ok());
}

}  // namespace
}  // namespace aulm::gateway
