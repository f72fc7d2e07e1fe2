#include "aulm/gateway/client/gateway_client.h"

#include <optional>
#include <string>
#include <utility>

#include "client_stubs/cpp/tests/fake_gateway.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::client {
namespace {

using ::testing::HasSubstr;

// What the client itself refuses was not sent, and it says so.
class GatewayClientTest : public testing::Test {
 protected:
  CallError Refused(const std::string& body, std::optional<absl::Duration> timeout = {}) {
    v1::SendTextRequest request;
    request.set_body(body);
    const auto result = client_.SendText(std::move(request), {.timeout = timeout});
    EXPECT_FALSE(result.ok());
    EXPECT_EQ(gateway_.calls(), 0);
    EXPECT_EQ(result.error().outcome, Outcome::kNotSent);
    EXPECT_NE(result.error().request_id, "");
    return result.error();
  }

  FakeGateway gateway_;
  GatewayClient client_{gateway_.Channel()};
};

TEST_F(GatewayClientTest, SendWithoutTimeIsNotMade) {
  EXPECT_EQ(Refused("Hello", absl::ZeroDuration()).code, grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(Refused("Hello", absl::Seconds(-1)).code, grpc::StatusCode::DEADLINE_EXCEEDED);
}

TEST_F(GatewayClientTest, ReadWithoutTimeIsNotMade) {
  const auto result = client_.GetQuota("", absl::ZeroDuration());
  ASSERT_FALSE(result.ok());
  EXPECT_EQ(result.error().code, grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(result.error().outcome, Outcome::kNone);
  EXPECT_EQ(gateway_.calls(), 0);
}

TEST_F(GatewayClientTest, SendOverTheGatewaysLimitIsNotMade) {
  const CallError error = Refused(std::string(8 << 20, 'x'));
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("8388608"));
}

TEST_F(GatewayClientTest, TextThatIsNotUtf8IsNotSent) {
  const CallError error = Refused("\xff");
  EXPECT_EQ(error.code, grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(error.message, HasSubstr("UTF-8"));
}

}  // namespace
}  // namespace aulm::gateway::client
