#include <chrono>
#include <functional>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "grpcpp/channel.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/rpc/grpc_server.h"
#include "tests/integration/events/collecting_reader.h"
#include "tests/integration/events/event_server.h"
#include "tests/support/fake_clock.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/raw_http_client.h"
#include "tests/unit/events/sample_events.h"

// What gRPC C++ 1.51 does to streams, each trap with the test that we do not step into it (design: "Known traps").
namespace aulm::gateway {
namespace {

using ::testing::ElementsAreArray;

v1::SubscribeEventsRequest From(v1::StartPosition position) {
  v1::SubscribeEventsRequest request;
  request.set_position(position);
  return request;
}

// Events of half a mebibyte: far more than fits between a server and a client that does not read.
void AppendLarge(EventLog& log, int count) {
  for (int number = 1; number <= count; ++number) {
    NewEvent event = InboundEvent(number);
    v1::Event encoded;
    encoded.set_delivery_id(event.delivery_id);
    encoded.mutable_inbound_message()->set_body(std::string(512 << 10, 'x'));
    event.event = encoded.SerializeAsString();
    AppendNow(log, event);
  }
}

// A client that begins a call and never reads.
class StuckReader {
 public:
  StuckReader(EventServer& server, const v1::SubscribeEventsRequest& request)
      : stub_(server.NewStub()), reader_(stub_->SubscribeEvents(&context_, request)) {}
  ~StuckReader() { context_.TryCancel(); }

  grpc::Status Drop() {
    v1::SubscribeEventsResponse response;
    while (reader_->Read(&response)) {
    }
    return reader_->Finish();
  }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<v1::EventService::Stub> stub_;
  std::unique_ptr<grpc::ClientReader<v1::SubscribeEventsResponse>> reader_;
};

// Until `what` holds; false when it never does.
bool Eventually(const std::function<bool()>& what) {
  for (const absl::Time begun = absl::Now(); absl::Now() - begun < absl::Seconds(60);) {
    if (what()) return true;
    std::this_thread::yield();
  }
  return false;
}

// Shutdown never returns if one reactor skips Finish: idle streams, streams amid writes and stuck ones must all finish.
TEST(GrpcTrapsTest, ShutdownReturnsWithStreamsAlive) {
  FakeEventLog log;
  AppendLarge(log, 30);
  EventServer server(log, {});
  const auto stub = server.NewStub();
  std::vector<std::unique_ptr<CollectingReader>> readers;
  for (int i = 0; i < 10; ++i) {
    readers.push_back(std::make_unique<CollectingReader>(*stub, From(v1::START_POSITION_LATEST)));
    readers.push_back(std::make_unique<CollectingReader>(*stub, From(v1::START_POSITION_EARLIEST)));
  }
  StuckReader stuck(server, From(v1::START_POSITION_EARLIEST));
  for (const auto& reader : readers) ASSERT_TRUE(reader->WaitForStarted());
  server.Shutdown(absl::Milliseconds(100));
  for (const auto& reader : readers) EXPECT_FALSE(reader->Wait().ok());
}

// gRPC waits its whole deadline for connections: for a client that does not answer the GOAWAY, and for one that never
// said anything. Here the deadline is an hour.
TEST(GrpcTrapsTest, ShutdownDoesNotWaitForConnectionsThatHaveNoCall) {
  prometheus::Registry registry;
  RpcMetrics calls(registry);
  calls.AddMethod(RpcMetrics::MethodType::kUnary, "a.Service", "Never");
  GrpcServerOptions options;
  options.address = "127.0.0.1:0";
  options.credentials = grpc::InsecureServerCredentials();
  auto server = GrpcServer::Start(options, {});
  ASSERT_TRUE(server.ok()) << server.status();
  const RawHttpClient silent((*server)->address());
  RawHttpClient idle((*server)->address());
  idle.Send(std::string("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0", 33));  // and empty SETTINGS
  idle.ReadExactly(9);
  (*server)->Shutdown(absl::Hours(1), calls);
}

TEST(GrpcTrapsTest, ShutdownReturnsWhileStreamsAreBeingAdmitted) {
  FakeEventLog log;
  AppendInbound(log, 1, 5);
  EventServer::Options options;
  options.hub.read_threads = 1;
  EventServer server(log, options);
  absl::Notification release;
  server.hub.Post([&release] { release.WaitForNotification(); });
  v1::SubscribeEventsRequest request;
  request.mutable_start_time()->set_seconds(1);
  const auto stub = server.NewStub();
  CollectingReader reader(*stub, request);
  ASSERT_TRUE(Eventually([&server] { return server.events_metrics.streams->Value() == 1; }));
  server.Shutdown(absl::Milliseconds(50));
  EXPECT_FALSE(reader.Wait().ok());
  release.Notify();
}

// OnWriteDone is not consumption: what the server has written, the client may never see. Only what the client has read
// moves its cursor, so a client that goes away amid a stream loses nothing.
TEST(GrpcTrapsTest, FramesThatWereWrittenButNotReadComeAgainAfterResuming) {
  FakeEventLog log;
  AppendInbound(log, 1, 5000);
  EventServer server(log, {});
  const auto stub = server.NewStub();
  v1::SubscribeEventsRequest request = From(v1::START_POSITION_EARLIEST);
  request.set_max_batch_events(7);
  std::vector<std::string> ids;
  int visits = 0;
  while (ids.size() < 5000) {
    ++visits;
    grpc::ClientContext context;
    const auto reader = stub->SubscribeEvents(&context, request);
    v1::SubscribeEventsResponse response;
    for (int i = 0; i < 100 && ids.size() < 5000 && reader->Read(&response); ++i) {
      if (!response.has_event_batch()) continue;
      AddDeliveryIds(response.event_batch(), ids);
      request.set_after_cursor(response.event_batch().resume_cursor());
    }
    context.TryCancel();
  }
  EXPECT_GT(visits, 5);
  EXPECT_THAT(ids, ElementsAreArray(DeliveryIds(1, 5000)));
}

// There is no write timeout: a client that takes nothing would hold its stream for ever.
TEST(GrpcTrapsTest, AClientThatNeverReadsIsCancelled) {
  FakeEventLog log;
  AppendLarge(log, 60);
  FakeClock clock;
  EventServer::Options options;
  options.clock = &clock;
  options.service.stream_stall = absl::Seconds(60);
  EventServer server(log, options);
  StuckReader stuck(server, From(v1::START_POSITION_EARLIEST));
  ASSERT_TRUE(Eventually([&] {
    clock.Advance(absl::Milliseconds(100));
    return server.events_metrics.stalls->Value() == 1;
  }));
  EXPECT_TRUE(Eventually([&] { return server.events_metrics.streams->Value() == 0; }));
  EXPECT_EQ(stuck.Drop().error_code(), grpc::StatusCode::CANCELLED);
}

TEST(GrpcTrapsTest, AnIdleStreamIsNotTakenForAStalledOne) {
  FakeEventLog log;
  EventServer::Options options;
  options.service.stream_stall = absl::Milliseconds(700);
  EventServer server(log, options);
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(2));
  const auto reader = stub->SubscribeEvents(&context, {});
  v1::SubscribeEventsResponse response;
  EXPECT_TRUE(reader->Read(&response));
  EXPECT_FALSE(reader->Read(&response));  // nothing to read until the deadline
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::DEADLINE_EXCEEDED);
  EXPECT_EQ(server.events_metrics.stalls->Value(), 0);
}

// Reactions run in parallel: cancellations, events, drains and the end of the server, all at once.
TEST(GrpcTrapsTest, CancellationsAtAnyMomentLeaveNothingBehind) {
  FakeEventLog log;
  AppendInbound(log, 1, 2000);
  EventServer server(log, {});
  std::vector<std::unique_ptr<v1::EventService::Stub>> stubs;
  for (int i = 0; i < 4; ++i) stubs.push_back(server.NewStub());
  std::mt19937_64 chance(7);
  absl::Notification stop;
  std::thread appender([&] {
    for (int number = 2001; number < 30'000 && !stop.HasBeenNotified(); ++number) AppendNow(log, InboundEvent(number));
  });
  for (int round = 0; round < 20; ++round) {
    std::vector<std::unique_ptr<CollectingReader>> readers;
    for (int i = 0; i < 20; ++i) {
      v1::SubscribeEventsRequest request =
          From(chance() % 2 == 0 ? v1::START_POSITION_LATEST : v1::START_POSITION_EARLIEST);
      request.set_max_batch_events(1 + chance() % 50);
      // Some leave after a number of events, some at once, the rest when all are there.
      readers.push_back(std::make_unique<CollectingReader>(*stubs[i % 4], request, 1 + chance() % 200));
      if (chance() % 3 == 0) readers.back()->Cancel();
    }
    for (const auto& reader : readers) reader->Cancel();
    for (const auto& reader : readers) reader->Wait();
  }
  std::vector<std::unique_ptr<CollectingReader>> last;
  for (int i = 0; i < 20; ++i) {
    last.push_back(std::make_unique<CollectingReader>(*stubs[i % 4], From(v1::START_POSITION_EARLIEST)));
  }
  std::thread drainer([&server] { server.service->Drain(); });
  for (size_t i = 0; i < last.size(); i += 2) last[i]->Cancel();
  drainer.join();
  for (const auto& reader : last) EXPECT_FALSE(reader->Wait().ok());
  stop.Notify();
  appender.join();
  EXPECT_TRUE(Eventually([&server] { return server.events_metrics.streams->Value() == 0; }));
}

// An error status can overtake frames that are queued: Drain is written, and waited for, before the stream ends.
TEST(GrpcTrapsTest, EveryClientReceivesItsDrainFrameBeforeTheStatus) {
  FakeEventLog log;
  AppendInbound(log, 1, 3000);
  EventServer server(log, {});
  const auto stub = server.NewStub();
  std::vector<std::unique_ptr<CollectingReader>> readers;
  for (int i = 0; i < 25; ++i) {
    readers.push_back(std::make_unique<CollectingReader>(*stub, From(v1::START_POSITION_LATEST)));
    readers.push_back(std::make_unique<CollectingReader>(*stub, From(v1::START_POSITION_EARLIEST)));
  }
  for (const auto& reader : readers) ASSERT_TRUE(reader->WaitForStarted());
  server.service->Drain();
  for (const auto& reader : readers) {
    const grpc::Status status = reader->Wait();
    EXPECT_TRUE(reader->drained());
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
    google::rpc::Status details;
    google::rpc::ErrorInfo info;
    ASSERT_TRUE(details.ParseFromString(status.error_details()) && details.details(0).UnpackTo(&info));
    EXPECT_EQ(info.reason(), "DRAINING");
  }
  server.Shutdown(absl::Seconds(5));
}

TEST(GrpcTrapsTest, AClientThatReadsLateReceivesEverythingUpToTheDrainFrame) {
  FakeEventLog log;
  EventServer server(log, {});
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto reader = stub->SubscribeEvents(&context, From(v1::START_POSITION_LATEST));
  v1::SubscribeEventsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  AppendInbound(log, 1, 100);
  server.service->Drain();
  ASSERT_TRUE(Eventually([&server] { return server.events_metrics.streams->Value() == 0; }));
  std::vector<std::string> ids;
  std::string last_cursor;
  while (reader->Read(&response)) {
    AddDeliveryIds(response.event_batch(), ids);
    if (response.has_drain()) last_cursor = response.drain().resume_cursor();
  }
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  ASSERT_FALSE(last_cursor.empty());
  EXPECT_THAT(ids, ElementsAreArray(DeliveryIds(1, static_cast<int>(DecodeCursor(last_cursor)->sequence))));
}

TEST(GrpcTrapsTest, AnOldStreamIsDrainedAndTheClientGoesOn) {
  FakeEventLog log;
  FakeClock clock;
  EventServer::Options options;
  options.clock = &clock;
  options.service.stream_max_age = absl::Seconds(15);
  options.service.stream_stall = absl::InfiniteDuration();  // the clock below runs wild
  EventServer server(log, options);
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto reader = stub->SubscribeEvents(&context, {});
  v1::SubscribeEventsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  absl::Notification over;
  std::thread ticker([&] {
    while (!over.HasBeenNotified()) clock.Advance(absl::Seconds(1));
  });
  while (reader->Read(&response) && !response.has_drain()) {
  }
  EXPECT_EQ(response.drain().reason(), "age");
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  over.Notify();
  ticker.join();
  AppendInbound(log, 1, 3);
  v1::SubscribeEventsRequest request;
  request.set_after_cursor(response.drain().resume_cursor());
  CollectingReader next(*stub, request, 3);
  next.Wait();
  EXPECT_THAT(next.ids(), ElementsAreArray(DeliveryIds(1, 3)));
}

// Connection age has no default grace: an aged connection takes no new calls but keeps its streams for as long as they
// last, which is why streams have an age of their own.
TEST(GrpcTrapsTest, AStreamOutlivesTheAgeOfItsConnection) {
  FakeEventLog log;
  EventServer::Options options;
  options.configure = [](grpc::ServerBuilder& builder) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 300);
  };
  EventServer server(log, options);
  const auto channel = server.NewChannel();
  const auto stub = v1::EventService::NewStub(channel);
  CollectingReader reader(*stub, From(v1::START_POSITION_LATEST), 1);
  ASSERT_TRUE(reader.WaitForStarted());
  // The connection's end shows as the channel leaving READY.
  ASSERT_TRUE(Eventually([&channel] { return channel->GetState(false) != GRPC_CHANNEL_READY; }));
  AppendInbound(log, 1, 1);
  reader.Wait();
  EXPECT_THAT(reader.ids(), ElementsAreArray(DeliveryIds(1, 1)));
  CollectingReader next(*stub, From(v1::START_POSITION_EARLIEST), 1);
  next.Wait();
  EXPECT_THAT(next.ids(), ElementsAreArray(DeliveryIds(1, 1)));
}

TEST(GrpcTrapsTest, AConnectionThatIsCutAtItsAgeEndsItsStreamsCleanly) {
  FakeEventLog log;
  EventServer::Options options;
  options.configure = [](grpc::ServerBuilder& builder) {
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_MS, 200);
    builder.AddChannelArgument(GRPC_ARG_MAX_CONNECTION_AGE_GRACE_MS, 50);
  };
  EventServer server(log, options);
  const auto stub = server.NewStub();
  CollectingReader reader(*stub, {});
  EXPECT_FALSE(reader.Wait().ok());
  EXPECT_TRUE(Eventually([&server] { return server.events_metrics.streams->Value() == 0; }));
}

}  // namespace
}  // namespace aulm::gateway
