// What is left of an account's quota, as aulm's answers told it.
#include <gmock/gmock.h>

#include <csignal>
#include <fstream>
#include <string>

#include "aulm/gateway/v1/quota_service.grpc.pb.h"
#include "tests/integration/gateway/gateway_fixture.h"

namespace aulm::gateway {
namespace {

class QuotaTest : public GatewayTest {
 protected:
  grpc::Status Send(const std::string& request_id = "") {
    grpc::ClientContext context;
    SetLimit(context);
    v1::SendTextRequest request = Text("+966512345678");
    request.set_request_id(request_id);
    v1::SendTextResponse response;
    const grpc::Status status = messaging_->SendText(&context, request, &response);
    if (status.ok()) last_told_ = response.rate_limit();
    return status;
  }

  grpc::Status GetQuota(v1::GetQuotaResponse& quota, const std::string& account = "") {
    grpc::ClientContext context;
    SetLimit(context);
    v1::GetQuotaRequest request;
    request.set_account(account);
    return v1::QuotaService::NewStub(channel_)->GetQuota(&context, request, &quota);
  }

  v1::RateLimit last_told_;
};

TEST_F(QuotaTest, IsWhatTheLastSendWasToldAlsoAfterARestart) {
  StartGateway();
  v1::GetQuotaResponse before;
  ASSERT_TRUE(GetQuota(before).ok());
  EXPECT_FALSE(before.has_rate_limit());
  ASSERT_TRUE(Send().ok());

  v1::GetQuotaResponse quota;
  ASSERT_TRUE(GetQuota(quota, "default").ok());
  EXPECT_EQ(quota.rate_limit().SerializeAsString(), last_told_.SerializeAsString());
  EXPECT_TRUE(quota.has_observed_time());
  gateway_->process().Signal(SIGTERM);
  ASSERT_TRUE(gateway_->process().Wait(absl::Seconds(25)).ok());
  StartGateway();
  v1::GetQuotaResponse after;
  ASSERT_TRUE(GetQuota(after).ok());

  EXPECT_EQ(after.SerializeAsString(), quota.SerializeAsString());
}

TEST_F(QuotaTest, AccountThatIsNoneIsNotFound) {
  StartGateway();
  v1::GetQuotaResponse quota;

  EXPECT_EQ(GetQuota(quota, "nobody").error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(QuotaTest, UsedUpIsRefusedWithoutAskingAulmWhereThatIsAskedFor) {
  const std::string file = folder_ + "/gateway.json";
  std::ofstream(file) << R"({"sends": {"refuse_when_quota_used_up": true}})";
  options_.environment["GATEWAY_CONFIG"] = file;
  StartGateway();
  simulator::QuotaChange change;
  change.daily_limit = 1;
  change.daily_used = 0;
  change.daily_reset_in = absl::Hours(1);
  ASSERT_TRUE(simulator_->control().SetQuota(change).ok());
  ASSERT_TRUE(Send().ok());

  const grpc::Status refused = Send();

  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_details(), testing::HasSubstr("QUOTA_USED_UP"));
  EXPECT_THAT(refused.error_details(), testing::HasSubstr("google.rpc.QuotaFailure"));
  EXPECT_THAT(refused.error_details(), testing::HasSubstr("google.rpc.RetryInfo"));
  EXPECT_EQ(simulator_->control().Requests()->size(), 1u);
}

}  // namespace
}  // namespace aulm::gateway
