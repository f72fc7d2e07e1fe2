#include "tests/clients/cpp/world.h"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "gtest/gtest.h"

namespace aulm::gateway::conformance {

World::World(const std::vector<std::string>& simulator_arguments) {
  folder_ = absl::StrCat(testing::TempDir(), "/conformance_XXXXXX");
  EXPECT_NE(mkdtemp(folder_.data()), nullptr);
  std::vector<std::string> arguments = {"--webhook-concurrency=1", "--statuses=", "--retry-base-ms=50",
                                        "--retry-max-ms=200"};
  arguments.insert(arguments.end(), simulator_arguments.begin(), simulator_arguments.end());
  auto aulm = simulator::SimulatorProcess::Start(arguments);
  EXPECT_TRUE(aulm.ok()) << aulm.status();
  if (!aulm.ok()) std::abort();
  aulm_ = *std::move(aulm);
  StartGatewayEmpty();
  const absl::Status pointed = aulm_->control().SetWebhook(absl::StrCat("http://", webhook_, "/webhooks/aulm"));
  EXPECT_TRUE(pointed.ok()) << pointed;
}

World::~World() {
  gateway_.reset();
  std::error_code ignored;
  std::filesystem::remove_all(folder_, ignored);
}

void World::StartGateway() {
  GatewayProcess::Options options;
  options.folder = folder_;
  options.aulm_base_url = aulm_->base_url();
  options.api_key = simulator::kTestKey;
  options.webhook_secret = simulator::kWebhookSecret;
  options.environment = {{"GATEWAY_GRPC_LISTEN", grpc_},
                         {"GATEWAY_WEBHOOK_LISTEN", webhook_},
                         {"GATEWAY_ADMIN_LISTEN", admin_},
                         {"GATEWAY_STORE", absl::StrCat("sqlite://", folder_, "/store-", stores_)}};
  auto gateway = GatewayProcess::Start(options);
  ASSERT_TRUE(gateway.ok()) << gateway.status();
  gateway_.emplace(*std::move(gateway));
  grpc_ = gateway_->grpc_address();
  webhook_ = gateway_->webhook_address();
  admin_ = gateway_->admin_address();
}

void World::StartGatewayEmpty() {
  ++stores_;
  StartGateway();
}

void World::KillGateway() {
  gateway().Signal(SIGKILL);
  EXPECT_TRUE(gateway().Wait(kLimit).ok());
}

void World::TerminateGateway() {
  gateway().Signal(SIGTERM);
  EXPECT_EQ(gateway().Wait(kLimit).value_or(-1), 0);
}

boost::json::value World::Control(const std::string& method, const std::string& path,
                                  const boost::json::value& body) const {
  absl::StatusOr<boost::json::value> answer = aulm_->control().Call(method, path, body);
  EXPECT_TRUE(answer.ok()) << method << " " << path << ": " << answer.status();
  return answer.value_or(nullptr);
}

void World::Deliver(const std::string& path, const boost::json::value& body) const {
  const int64_t sequence = Control("POST", path, body).at("sequence").as_int64();
  const bool delivered = AwaitOther([&] {
    const boost::json::value listed = Control("GET", absl::StrCat("deliveries?after=", sequence - 1));
    for (const boost::json::value& delivery : listed.at("deliveries").as_array()) {
      if (delivery.at("sequence").as_int64() == sequence && delivery.at("state") == "delivered") return true;
    }
    return false;
  });
  EXPECT_TRUE(delivered) << path << " was not delivered";
}

bool AwaitOther(const std::function<bool()>& look) {
  for (const absl::Time give_up = absl::Now() + kLimit; absl::Now() < give_up; absl::SleepFor(absl::Milliseconds(5))) {
    if (look()) return true;
  }
  return false;
}

}  // namespace aulm::gateway::conformance
