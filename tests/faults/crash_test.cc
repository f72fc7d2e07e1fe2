// Kills the gateway with SIGKILL under webhook load, again and again, and proves the first promise: every delivery that
// was answered 2xx is in the log exactly once, and cursors taken before a crash go on after it without gap or
// duplicate.
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "aulm/gateway/v1/event_service.grpc.pb.h"
#include "tests/support/gateway_process.h"
#include "tests/support/webhook_client.h"

namespace aulm::gateway {
namespace {

constexpr int kConnections = 8;
constexpr char kSession[] = "0c4f7b5e-9f5c-4c87-a5a2-0d6d1f1a2b3c";
constexpr char kSecret[] = "whsec_crash";

// SIGKILLs in one run: AULM_GATEWAY_KILLS for the long form.
int Kills() {
  const char* kills = std::getenv("AULM_GATEWAY_KILLS");
  return kills == nullptr ? 20 : std::atoi(kills);
}

// A delivery id of its own for every try of every thread, in UUID form.
std::string DeliveryId(int round, int thread, int number) {
  return absl::StrFormat("%08x-%04x-4000-8000-%012x", round, thread, number);
}

// What the senders saw in all rounds.
class Acknowledged {
 public:
  void Add(std::string delivery_id) {
    absl::MutexLock lock(&mutex_);
    ids_.push_back(std::move(delivery_id));
  }
  size_t size() const {
    absl::MutexLock lock(&mutex_);
    return ids_.size();
  }
  std::vector<std::string> ids() const {
    absl::MutexLock lock(&mutex_);
    return ids_;
  }

 private:
  mutable absl::Mutex mutex_;
  std::vector<std::string> ids_ ABSL_GUARDED_BY(mutex_);
};

std::unique_ptr<v1::EventService::Stub> EventStub(const GatewayProcess& gateway) {
  return v1::EventService::NewStub(grpc::CreateChannel(gateway.grpc_address(), grpc::InsecureChannelCredentials()));
}

// Every event after `cursor` (the whole log when it is empty), page by page.
std::vector<v1::Event> ReadAfter(v1::EventService::Stub& stub, const std::string& cursor) {
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
    const grpc::Status status = stub.ReadEvents(&context, request, &response);
    if (!status.ok()) {
      ADD_FAILURE() << status.error_message();
      return events;
    }
    events.insert(events.end(), response.events().begin(), response.events().end());
    if (response.end_of_log()) return events;
    request.set_after_cursor(response.next_cursor());
  }
}

std::vector<std::string> DeliveryIds(const std::vector<v1::Event>& events) {
  std::vector<std::string> ids;
  ids.reserve(events.size());
  for (const v1::Event& event : events) ids.push_back(event.delivery_id());
  return ids;
}

// Posts from several connections until the gateway dies; kills it after `until_kill` further acknowledgements.
void LoadUntilKilled(GatewayProcess& gateway, int round, size_t until_kill, Acknowledged& acknowledged) {
  const size_t kill_at = acknowledged.size() + until_kill;
  std::atomic<bool> killed{false};
  std::vector<std::thread> senders;
  for (int thread = 0; thread < kConnections; ++thread) {
    senders.emplace_back([&, thread] {
      WebhookClient client(gateway.webhook_address(), kSecret);
      for (int number = 0;; ++number) {
        const std::string id = DeliveryId(round, thread, number);
        const auto answer = client.Post("inbound_message", id, InboundMessageBody(id, kSession, "+966512345678", "hi"));
        if (!answer.ok()) return;  // killed: whether this one was stored is unknown
        ASSERT_EQ(*answer, 200);
        acknowledged.Add(id);
        if (acknowledged.size() >= kill_at && !killed.exchange(true)) gateway.process().Signal(SIGKILL);
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  ASSERT_TRUE(gateway.process().Wait(absl::Seconds(10)).ok());
}

TEST(CrashTest, WhatWasAcknowledgedIsReadableExactlyOnceAfterEveryKill) {
  std::string folder = absl::StrCat(testing::TempDir(), "/crash_XXXXXX");
  ASSERT_NE(mkdtemp(folder.data()), nullptr);
  GatewayProcess::Options options;
  options.folder = folder;
  options.webhook_secret = kSecret;
  std::mt19937 random(20260528);  // kills come after a seeded number of answers, never after a time
  Acknowledged acknowledged;
  std::string cursor;                   // taken before the last crash …
  std::vector<std::string> seen_until;  // … and what the log held up to it
  for (int round = 0; round < Kills(); ++round) {
    auto gateway = GatewayProcess::Start(options);
    ASSERT_TRUE(gateway.ok()) << gateway.status();
    const auto stub = EventStub(*gateway);
    const std::vector<v1::Event> after = ReadAfter(*stub, cursor);
    for (const v1::Event& event : after) seen_until.push_back(event.delivery_id());
    if (!after.empty()) cursor = after.back().cursor();
    LoadUntilKilled(*gateway, round, 20 + random() % 400, acknowledged);
    if (HasFatalFailure()) return;
  }

  auto gateway = GatewayProcess::Start(options);
  ASSERT_TRUE(gateway.ok()) << gateway.status();
  const auto stub = EventStub(*gateway);
  for (const v1::Event& event : ReadAfter(*stub, cursor)) seen_until.push_back(event.delivery_id());
  const std::vector<std::string> stored = DeliveryIds(ReadAfter(*stub, ""));

  EXPECT_EQ(seen_until, stored) << "reading on from cursors across crashes differs from reading all at once";
  std::map<std::string, int> count;
  for (const std::string& id : stored) ++count[id];
  for (const auto& [id, times] : count) EXPECT_EQ(times, 1) << id << " is stored more than once";
  for (const std::string& id : acknowledged.ids()) {
    EXPECT_EQ(count[id], 1) << id << " was answered 200 and is not in the log";
  }
  EXPECT_GE(acknowledged.size(), static_cast<size_t>(Kills()) * 20);
  RecordProperty("kills", Kills());
  RecordProperty("acknowledged", static_cast<int>(acknowledged.size()));
}

}  // namespace
}  // namespace aulm::gateway
