#pragma once

#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
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
#include "tests/simulator/simulator_process.h"
#include "tests/support/gateway_process.h"
#include "tests/support/nats_server.h"
#include "tests/support/temp_folder.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {

// One gateway among several that share a store, with a client's stubs.
struct Replica {
  GatewayProcess gateway;
  std::shared_ptr<grpc::Channel> channel;
  std::unique_ptr<v1::EventService::Stub> events;
  std::unique_ptr<v1::MessagingService::Stub> messaging;
};

// A nats-server, and gateways on it.
class ReplicasTest : public testing::Test {
 protected:
  static constexpr char kSession[] = "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c";
  static constexpr char kSecret[] = "whsec_replicas";

  void SetUp() override {
    auto server = NatsServer::Start({.folder = folder_.path()});
    ASSERT_TRUE(server.ok()) << server.status();
    nats_ = *std::move(server);
    options_.webhook_secret = kSecret;
    options_.environment["GATEWAY_STORE"] = absl::StrCat("nats://", nats_->address());
  }

  void StartReplica() {
    options_.folder = absl::StrCat(folder_.path(), "/gateway-", replicas_.size());
    std::filesystem::create_directories(options_.folder);
    auto gateway = GatewayProcess::Start(options_);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    auto channel = grpc::CreateChannel(gateway->grpc_address(), grpc::InsecureChannelCredentials());
    replicas_.push_back(std::make_unique<Replica>(Replica{
        *std::move(gateway), channel, v1::EventService::NewStub(channel), v1::MessagingService::NewStub(channel)}));
  }

  void StartReplicas(int count) {
    for (int i = 0; i < count && !HasFatalFailure(); ++i) StartReplica();
  }

  Replica& replica(size_t index) { return *replicas_.at(index); }

  static std::string DeliveryId(int number) { return absl::StrFormat("aaaaaaaa-0000-4000-8000-%012d", number); }

  // Posts one inbound message to a replica; the status.
  static absl::StatusOr<int> Post(WebhookClient& client, int number) {
    const std::string id = DeliveryId(number);
    return client.Post("inbound_message", id, InboundMessageBody(id, kSession, "+966512345678", "hi"));
  }

  // Everything in the log as a replica reads it after `cursor` (empty: all).
  static std::vector<v1::Event> ReadAll(Replica& replica, const std::string& cursor = "") {
    std::vector<v1::Event> events;
    v1::ReadEventsRequest request;
    request.set_page_size(1000);
    if (cursor.empty()) {
      request.set_position(v1::START_POSITION_EARLIEST);
    } else {
      request.set_after_cursor(cursor);
    }
    while (true) {
      grpc::ClientContext context;
      v1::ReadEventsResponse response;
      const grpc::Status status = replica.events->ReadEvents(&context, request, &response);
      EXPECT_TRUE(status.ok()) << status.error_message();
      if (!status.ok()) return events;
      events.insert(events.end(), response.events().begin(), response.events().end());
      if (response.end_of_log()) return events;
      request.set_after_cursor(response.next_cursor());
    }
  }

  static std::vector<std::string> DeliveryIdsOf(const std::vector<v1::Event>& events) {
    std::vector<std::string> ids;
    for (const v1::Event& event : events) ids.push_back(event.delivery_id());
    return ids;
  }

  TempFolder folder_;
  std::unique_ptr<NatsServer> nats_;
  GatewayProcess::Options options_;
  std::vector<std::unique_ptr<Replica>> replicas_;
};

}  // namespace aulm::gateway
