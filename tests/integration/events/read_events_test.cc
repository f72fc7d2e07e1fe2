#include <chrono>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "tests/integration/events/event_server.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAreArray;

std::string ReasonOf(const grpc::Status& status) {
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(details.ParseFromString(status.error_details()) && details.details_size() > 0 &&
              details.details(0).UnpackTo(&info));
  return info.reason();
}

TEST(ReadEventsTest, PagesReadTheWholeLog) {
  FakeEventLog log;
  AppendInbound(log, 1, 250);
  EventServer server(log, {});
  const auto stub = server.NewStub();
  v1::ReadEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  std::vector<std::string> ids;
  v1::ReadEventsResponse page;
  do {
    grpc::ClientContext context;
    page.Clear();
    ASSERT_TRUE(stub->ReadEvents(&context, request, &page).ok());
    for (const v1::Event& event : page.events()) ids.push_back(event.delivery_id());
    request.set_after_cursor(page.next_cursor());
  } while (!page.end_of_log());
  EXPECT_THAT(ids, ElementsAreArray(DeliveryIds(1, 250)));
}

TEST(ReadEventsTest, BadFieldsAreNamed) {
  FakeEventLog log;
  EventServer server(log, {});
  v1::ReadEventsRequest request;
  request.set_page_size(1001);
  grpc::ClientContext context;
  v1::ReadEventsResponse page;
  const grpc::Status status = server.NewStub()->ReadEvents(&context, request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
}

TEST(ReadEventsTest, AStoreThatFailsIsUnavailable) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  EventServer server(log, {});
  log.FailReads(absl::UnavailableError("away"));
  v1::ReadEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  grpc::ClientContext context;
  v1::ReadEventsResponse page;
  const grpc::Status status = server.NewStub()->ReadEvents(&context, request, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(ReasonOf(status), "STORE_UNAVAILABLE");
}

TEST(ReadEventsTest, AnAnswerComesBeforeTheDeadlineAlsoWhenTheStoreHangs) {
  FakeEventLog log;
  EventServer::Options options;
  options.hub.read_threads = 1;
  absl::Notification release;  // outlives the server's threads
  EventServer server(log, options);
  server.hub.Post([&release] { release.WaitForNotification(); });
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::milliseconds(400));
  v1::ReadEventsResponse page;
  const grpc::Status status = server.NewStub()->ReadEvents(&context, {}, &page);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(ReasonOf(status), "CALL_DEADLINE");  // ours, not the client library's own
  release.Notify();
}

TEST(ReadEventsTest, ShutdownDoesNotWaitForAStoreThatHangs) {
  FakeEventLog log;
  EventServer::Options options;
  options.hub.read_threads = 1;
  absl::Notification working, release;  // outlive the server's threads
  EventServer server(log, options);
  server.hub.Post([&] {
    working.Notify();
    release.WaitForNotification();
  });
  working.WaitForNotification();
  std::thread caller([&server] {
    grpc::ClientContext context;
    v1::ReadEventsResponse page;
    EXPECT_FALSE(server.NewStub()->ReadEvents(&context, {}, &page).ok());
  });
  server.Shutdown(absl::Milliseconds(100));
  caller.join();
  release.Notify();
}

}  // namespace
}  // namespace aulm::gateway
