#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "gmock/gmock.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"
#include "gtest/gtest.h"
#include "prometheus/registry.h"
#include "service/base/system_clock.h"
#include "service/base/system_random.h"
#include "service/storage/store.h"
#include "tests/integration/events/collecting_reader.h"
#include "tests/integration/events/event_server.h"
#include "tests/support/fake_event_log.h"
#include "tests/support/temp_folder.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using Reader = grpc::ClientReader<v1::SubscribeEventsResponse>;

// The embedded store in a folder of its own.
class SqliteLog {
 public:
  SqliteLog() {
    StoreOptions options;
    options.url = absl::StrCat("sqlite://", folder_.path());
    absl::StatusOr<Store> store = OpenStore(options, clock_, random_, registry_);
    EXPECT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
  EventLog& operator*() { return *store_.log; }

 private:
  TempFolder folder_;
  SystemClock clock_;
  SystemRandom random_;
  prometheus::Registry registry_;
  Store store_;
};

v1::SubscribeEventsRequest From(v1::StartPosition position) {
  v1::SubscribeEventsRequest request;
  request.set_position(position);
  return request;
}

v1::SubscribeEventsRequest After(const std::string& cursor) {
  v1::SubscribeEventsRequest request;
  request.set_after_cursor(cursor);
  return request;
}

// Appends without waiting for each: what the disk takes at once, it takes at once.
void AppendMany(EventLog& log, int first, int last) {
  for (int number = first; number < last; ++number) {
    log.Append(InboundEvent(number), [](absl::StatusOr<Appended> appended) { EXPECT_TRUE(appended.ok()); });
    if (number % 1000 == 0) AppendNow(log, InboundEvent(-number));  // so that no more wait than may
  }
  AppendNow(log, InboundEvent(last));
}

// What AppendMany stores, in order.
std::vector<std::string> ManyIds(int first, int last) {
  std::vector<std::string> ids;
  for (int number = first; number <= last; ++number) {
    ids.push_back(absl::StrCat("d", number));
    if (number % 1000 == 0 && number < last) ids.push_back(absl::StrCat("d", -number));
  }
  return ids;
}

std::vector<std::string> ReadIds(Reader& reader, size_t count) {
  std::vector<std::string> ids;
  v1::SubscribeEventsResponse response;
  while (ids.size() < count && reader.Read(&response)) AddDeliveryIds(response.event_batch(), ids);
  return ids;
}

google::rpc::ErrorInfo ErrorInfoOf(const grpc::Status& status) {
  google::rpc::Status details;
  EXPECT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::ErrorInfo info;
  EXPECT_TRUE(details.details_size() > 0 && details.details(0).UnpackTo(&info));
  return info;
}

// The status of a stream that must not be admitted.
grpc::Status Refusal(v1::EventService::Stub& stub, const v1::SubscribeEventsRequest& request) {
  grpc::ClientContext context;
  const auto reader = stub.SubscribeEvents(&context, request);
  v1::SubscribeEventsResponse response;
  EXPECT_FALSE(reader->Read(&response)) << "a frame before the error";
  return reader->Finish();
}

TEST(SubscribeTest, StartedComesAtOnceOnAnEmptyLog) {
  FakeEventLog log;
  EventServer server(log, {});
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto reader = stub->SubscribeEvents(&context, {});
  v1::SubscribeEventsResponse response;
  ASSERT_TRUE(reader->Read(&response));
  EXPECT_TRUE(response.has_started());
  context.TryCancel();
  EXPECT_EQ(reader->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST(SubscribeTest, StoredAndLiveEventsComeOnceAndInOrder) {
  SqliteLog log;
  AppendMany(*log, 1, 5000);
  EventServer server(*log, {});
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto reader = stub->SubscribeEvents(&context, From(v1::START_POSITION_EARLIEST));
  const std::vector<std::string> stored = ManyIds(1, 5000);
  EXPECT_THAT(ReadIds(*reader, stored.size()), ElementsAreArray(stored));
  std::thread appender([&log] { AppendMany(*log, 5001, 8000); });
  const std::vector<std::string> live = ManyIds(5001, 8000);
  EXPECT_THAT(ReadIds(*reader, live.size()), ElementsAreArray(live));
  appender.join();
  context.TryCancel();
}

TEST(SubscribeTest, ACursorOutlivesTheProcess) {
  SqliteLog log;
  AppendMany(*log, 1, 100);
  std::string cursor;
  {
    EventServer server(*log, {});
    grpc::ClientContext context;
    v1::ReadEventsRequest request;
    request.set_position(v1::START_POSITION_EARLIEST);
    request.set_page_size(40);
    v1::ReadEventsResponse page;
    ASSERT_TRUE(server.NewStub()->ReadEvents(&context, request, &page).ok());
    cursor = page.next_cursor();
  }
  EventServer server(*log, {});
  grpc::ClientContext context;
  const auto stub = server.NewStub();
  const auto reader = stub->SubscribeEvents(&context, After(cursor));
  EXPECT_THAT(ReadIds(*reader, 60), ElementsAreArray(DeliveryIds(41, 100)));
  context.TryCancel();
}

TEST(SubscribeTest, TwoHundredStreamsTakeTheSameEvents) {
  SqliteLog log;
  EventServer server(*log, {});
  std::vector<std::unique_ptr<v1::EventService::Stub>> stubs;
  for (int i = 0; i < 10; ++i) stubs.push_back(server.NewStub());
  std::vector<std::unique_ptr<CollectingReader>> readers;
  for (int i = 0; i < 200; ++i) {
    readers.push_back(
        std::make_unique<CollectingReader>(*stubs[i % stubs.size()], From(v1::START_POSITION_LATEST), 500));
  }
  for (const auto& reader : readers) ASSERT_TRUE(reader->WaitForStarted());
  AppendMany(*log, 1, 500);
  const std::vector<std::string> expected = DeliveryIds(1, 500);
  for (const auto& reader : readers) {
    EXPECT_EQ(reader->Wait().error_code(), grpc::StatusCode::CANCELLED);
    EXPECT_EQ(reader->ids(), expected);
  }
  EXPECT_EQ(server.events_metrics.encoded_events->Value(), 500);
}

TEST(SubscribeTest, ReadersThatDoNotReadHoldNobodyUp) {
  FakeEventLog log;
  EventServer server(log, {});
  const auto stub = server.NewStub();
  std::vector<std::unique_ptr<grpc::ClientContext>> contexts;
  std::vector<std::unique_ptr<Reader>> stuck;
  for (int i = 0; i < 5; ++i) {
    contexts.push_back(std::make_unique<grpc::ClientContext>());
    // Connections of their own: readers that share one with a stuck one share its window.
    stuck.push_back(server.NewStub()->SubscribeEvents(contexts.back().get(), From(v1::START_POSITION_LATEST)));
  }
  CollectingReader quick(*stub, From(v1::START_POSITION_LATEST), 40);
  ASSERT_TRUE(quick.WaitForStarted());
  for (int number = 1; number <= 40; ++number) {
    NewEvent event = InboundEvent(number);
    v1::Event encoded;
    encoded.set_delivery_id(event.delivery_id);
    encoded.mutable_inbound_message()->set_body(std::string(500'000, 'x'));
    event.event = encoded.SerializeAsString();
    AppendNow(log, event);
  }
  quick.Wait();
  EXPECT_THAT(quick.ids(), ElementsAreArray(DeliveryIds(1, 40)));
  for (const auto& context : contexts) context->TryCancel();
}

TEST(SubscribeTest, BadFieldsAreNamedBeforeTheFirstFrame) {
  FakeEventLog log;
  EventServer server(log, {});
  const auto stub = server.NewStub();
  v1::SubscribeEventsRequest request;
  request.set_subscription("orders");
  request.mutable_filter()->add_session_ids("x");
  const grpc::Status status = Refusal(*stub, request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "INVALID_FIELD");
  google::rpc::Status details;
  ASSERT_TRUE(details.ParseFromString(status.error_details()));
  google::rpc::BadRequest bad;
  ASSERT_TRUE(details.details(1).UnpackTo(&bad));
  ASSERT_EQ(bad.field_violations_size(), 2);
  EXPECT_EQ(bad.field_violations(0).field(), "filter.session_ids[0]");
  EXPECT_EQ(bad.field_violations(1).field(), "subscription");
}

TEST(SubscribeTest, AnEmptyCursorIsInvalid) {
  FakeEventLog log;
  EventServer server(log, {});
  const grpc::Status status = Refusal(*server.NewStub(), After(""));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "CURSOR_INVALID");
}

TEST(SubscribeTest, AnExpiredCursorTellsWhereToGoOn) {
  FakeEventLog log;
  AppendInbound(log, 1, 10);
  log.Trim(6);
  EventServer server(log, {});
  const auto stub = server.NewStub();
  const grpc::Status status = Refusal(*stub, After(EncodeCursor({log.Info().epoch, 2, 77})));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::OUT_OF_RANGE);
  const google::rpc::ErrorInfo info = ErrorInfoOf(status);
  EXPECT_EQ(info.reason(), "CURSOR_EXPIRED");
  EXPECT_EQ(info.domain(), "aulm-gateway");
  std::string earliest;
  ASSERT_TRUE(absl::WebSafeBase64Unescape(info.metadata().at("earliest_cursor"), &earliest));
  grpc::ClientContext context;
  const auto reader = stub->SubscribeEvents(&context, After(earliest));
  EXPECT_THAT(ReadIds(*reader, 5), ElementsAreArray(DeliveryIds(6, 10)));
  context.TryCancel();
}

// The method is raw: what gRPC would refuse by itself, we do.
TEST(SubscribeTest, ARequestThatIsNoMessageIsRefused) {
  FakeEventLog log;
  EventServer server(log, {});
  v1::SubscribeEventsRequest request;
  request.GetReflection()->MutableUnknownFields(&request)->AddLengthDelimited(5,
                                                                              "\xff\xfe");  // subscription, not UTF-8
  const grpc::Status status = Refusal(*server.NewStub(), request);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "INVALID_FIELD");
}

TEST(SubscribeTest, StreamsBeyondTheLimitAreRefused) {
  FakeEventLog log;
  EventServer::Options options;
  options.service.max_streams = 1;
  EventServer server(log, options);
  const auto stub = server.NewStub();
  CollectingReader first(*stub, {});
  ASSERT_TRUE(first.WaitForStarted());
  const grpc::Status status = Refusal(*stub, {});
  EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_EQ(ErrorInfoOf(status).reason(), "OVERLOADED");
  first.Cancel();
  first.Wait();
}

TEST(SubscribeTest, AStreamThatIsCancelledGivesItsPlaceBack) {
  FakeEventLog log;
  EventServer::Options options;
  options.service.max_streams = 1;
  EventServer server(log, options);
  const auto stub = server.NewStub();
  CollectingReader first(*stub, {});
  ASSERT_TRUE(first.WaitForStarted());
  first.Cancel();
  first.Wait();
  for (const absl::Time begun = absl::Now(); absl::Now() - begun < absl::Seconds(30);) {
    CollectingReader next(*stub, {});
    const bool admitted = next.WaitForStarted();
    next.Cancel();
    next.Wait();
    if (admitted) return;
  }
  FAIL() << "no place came free";
}

}  // namespace
}  // namespace aulm::gateway
