// What many callers at once cannot do: send faster than the session's pace, or send one request id twice.
#include <gmock/gmock.h>

#include <ctime>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "tests/integration/gateway/gateway_fixture.h"

namespace aulm::gateway {
namespace {

using ::testing::Each;
using ::testing::SizeIs;

int64_t MonotonicMicros() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

class SendSafetyTest : public GatewayTest {
 protected:
  void StartWithPacing(const std::string& pacing) {
    std::ofstream(folder_ + "/gateway.json") << pacing;
    options_.environment["GATEWAY_CONFIG"] = folder_ + "/gateway.json";
    StartGateway();
  }

  // The statuses of calls that are made at the same time, each with a thread of its own.
  std::vector<grpc::Status> CallAtOnce(const std::vector<v1::SendTextRequest>& requests) {
    std::vector<grpc::Status> statuses(requests.size());
    std::vector<std::thread> callers;
    for (size_t i = 0; i < requests.size(); ++i) {
      callers.emplace_back([&, i] {
        grpc::ClientContext context;
        SetLimit(context);
        v1::SendTextResponse response;
        statuses[i] = messaging_->SendText(&context, requests[i], &response);
      });
    }
    for (std::thread& caller : callers) caller.join();
    return statuses;
  }

  std::vector<int> Codes(const std::vector<grpc::Status>& statuses) {
    std::vector<int> codes;
    for (const grpc::Status& status : statuses) codes.push_back(status.error_code());
    return codes;
  }
};

TEST_F(SendSafetyTest, FiftyCallersAtOnceHoldTheSessionsPace) {
  constexpr int64_t kIntervalUs = 20'000;
  constexpr int64_t kBurst = 3;
  StartWithPacing(R"({"pacing": {"interval": "0.02s", "jitter": 0, "burst": 3}})");
  std::vector<v1::SendTextRequest> requests;
  for (int i = 0; i < 50; ++i) requests.push_back(Text(absl::StrFormat("+9665123456%02d", i)));
  const int64_t begun = MonotonicMicros();

  EXPECT_THAT(Codes(CallAtOnce(requests)), Each(grpc::StatusCode::OK));

  const auto arrived = simulator_->control().Requests();
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  ASSERT_THAT(*arrived, SizeIs(50));
  for (int64_t i = kBurst; i < 50; ++i) {
    // The i-th send's slot lies i - burst + 1 intervals after the first's. A slow machine makes it later, never
    // earlier.
    EXPECT_GE((*arrived)[i].arrived_us - begun, (i - kBurst + 1) * kIntervalUs) << "send " << i;
  }
}

TEST_F(SendSafetyTest, TwentyCallsAtOnceWithOneRequestIdAreOneSend) {
  StartWithPacing(R"({"pacing": {"off": true}})");
  v1::SendTextRequest request = Text("+966512345678");
  request.set_request_id("order-4711");

  EXPECT_THAT(Codes(CallAtOnce(std::vector<v1::SendTextRequest>(20, request))), Each(grpc::StatusCode::OK));

  const auto arrived = simulator_->control().Requests();
  ASSERT_TRUE(arrived.ok()) << arrived.status();
  EXPECT_THAT(*arrived, SizeIs(1));
}

}  // namespace
}  // namespace aulm::gateway
