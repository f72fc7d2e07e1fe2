#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "tests/integration/events/event_server.h"
#include "tests/support/fake_event_log.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAreArray;
using Reader = grpc::ClientReader<v1::SubscribeEventsResponse>;

v1::SubscribeEventsRequest From(v1::StartPosition position) {
  v1::SubscribeEventsRequest request;
  request.set_position(position);
  return request;
}

// Reads frames until `count` events came.
std::vector<std::string> ReadEvents(Reader& reader, size_t count) {
  std::vector<std::string> ids;
  v1::SubscribeEventsResponse response;
  while (ids.size() < count && reader.Read(&response)) AddDeliveryIds(response.event_batch(), ids);
  return ids;
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

TEST(SubscribeTest, StoredAndLiveEventsComeInOrder) {
  FakeEventLog log;
  AppendInbound(log, 1, 3000);
  EventServer server(log, {});
  const auto stub = server.NewStub();
  grpc::ClientContext context;
  const auto reader = stub->SubscribeEvents(&context, From(v1::START_POSITION_EARLIEST));
  EXPECT_THAT(ReadEvents(*reader, 3000), ElementsAreArray(DeliveryIds(1, 3000)));
  AppendInbound(log, 3001, 3200);
  EXPECT_THAT(ReadEvents(*reader, 200), ElementsAreArray(DeliveryIds(3001, 3200)));
  context.TryCancel();
}

}  // namespace
}  // namespace aulm::gateway
