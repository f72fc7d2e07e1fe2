#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "aulm/gateway/v1/messaging_service.grpc.pb.h"
#include "aulm/gateway/v1/session_service.grpc.pb.h"
#include "tests/simulator/simulator_process.h"
#include "tests/support/gateway_process.h"

namespace aulm::gateway {

// The real gateway between the simulator and a gRPC client of the test's, each a process of its own.
class GatewayTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = absl::StrCat(testing::TempDir(), "/gateway_XXXXXX");
    ASSERT_NE(mkdtemp(folder_.data()), nullptr);
    auto simulator =
        simulator::SimulatorProcess::Start({"--status-delay-ms=1", "--echo-delay-ms=1", "--retry-base-ms=20"});
    ASSERT_TRUE(simulator.ok()) << simulator.status();
    simulator_ = *std::move(simulator);
    options_.folder = folder_;
    options_.aulm_base_url = simulator_->base_url();
    options_.api_key = simulator::kLiveKey;
    options_.webhook_secret = simulator::kWebhookSecret;
  }

  // Starts (or starts again) the gateway with options_ and points aulm's webhooks at it.
  void StartGateway() {
    gateway_.reset();
    auto gateway = GatewayProcess::Start(options_);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    gateway_.emplace(*std::move(gateway));
    ASSERT_TRUE(
        simulator_->control().SetWebhook(absl::StrCat("http://", gateway_->webhook_address(), "/webhooks/aulm")).ok());
    channel_ = grpc::CreateChannel(gateway_->grpc_address(), grpc::InsecureChannelCredentials());
    messaging_ = v1::MessagingService::NewStub(channel_);
    sessions_ = v1::SessionService::NewStub(channel_);
    events_ = v1::EventService::NewStub(channel_);
  }

  static v1::SendTextRequest Text(const std::string& to, const std::string& body = "hello") {
    v1::SendTextRequest request;
    request.set_session_id(simulator::kConnectedSession);
    request.set_to(to);
    request.set_body(body);
    return request;
  }

  // Every test's outer limit for one call or one stream: never what a test waits for.
  static void SetLimit(grpc::ClientContext& context, absl::Duration limit = absl::Seconds(30)) {
    context.set_deadline(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(limit));
  }

  // Reads from the stream until `count` events have come.
  static std::vector<v1::Event> Take(grpc::ClientReader<v1::SubscribeEventsResponse>& stream, size_t count) {
    std::vector<v1::Event> events;
    v1::SubscribeEventsResponse frame;
    while (events.size() < count && stream.Read(&frame)) {
      for (const v1::Delivery& delivery : frame.event_batch().deliveries()) events.push_back(delivery.event());
    }
    return events;
  }

  std::string folder_;
  GatewayProcess::Options options_;
  std::unique_ptr<simulator::SimulatorProcess> simulator_;
  std::optional<GatewayProcess> gateway_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::MessagingService::Stub> messaging_;
  std::unique_ptr<v1::SessionService::Stub> sessions_;
  std::unique_ptr<v1::EventService::Stub> events_;
};

}  // namespace aulm::gateway
