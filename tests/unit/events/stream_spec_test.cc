#include "service/events/stream_spec.h"

#include <string>

#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "service/base/status_details.h"
#include "tests/unit/events/sample_events.h"

namespace aulm::gateway {
namespace {

using ::testing::ElementsAre;

const absl::Time kNow = absl::FromUnixSeconds(1'780'000'000);

std::vector<std::string> BadFields(const v1::SubscribeEventsRequest& request) {
  const absl::Status status = CheckRequest(request, kNow).status();
  EXPECT_TRUE(status.ok() || HasReason(status, GatewayReason::kInvalidField)) << status;
  return BadFieldsOf(status);
}

TEST(StreamSpecTest, AnEmptyRequestMeansLiveEventsWithEveryDefault) {
  const absl::StatusOr<StreamSpec> spec = CheckRequest(v1::SubscribeEventsRequest(), kNow);
  ASSERT_TRUE(spec.ok());
  EXPECT_TRUE(std::holds_alternative<Latest>(spec->start));
  EXPECT_TRUE(spec->selection.selects_all());
  EXPECT_EQ(spec->max_batch_events, 256u);
  EXPECT_EQ(spec->heartbeat_interval, absl::Seconds(20));
  EXPECT_EQ(spec->on_expired, OnExpired::kFail);
  EXPECT_FALSE(spec->include_raw_body);
}

TEST(StreamSpecTest, EveryFieldIsTaken) {
  v1::SubscribeEventsRequest request;
  request.set_after_cursor(EncodeCursor({1, 2, 3}));
  request.mutable_filter()->add_peers("+15550001");
  request.set_max_batch_events(1000);
  request.mutable_heartbeat_interval()->set_seconds(1);
  request.mutable_heartbeat_interval()->set_nanos(500'000'000);
  request.set_on_expired_cursor(v1::ON_EXPIRED_CURSOR_LATEST);
  request.set_include_raw_body(true);
  const absl::StatusOr<StreamSpec> spec = CheckRequest(request, kNow);
  ASSERT_TRUE(spec.ok()) << spec.status();
  EXPECT_EQ(std::get<Cursor>(spec->start).sequence, 2u);
  EXPECT_FALSE(spec->selection.selects_all());
  EXPECT_EQ(spec->max_batch_events, 1000u);
  EXPECT_EQ(spec->heartbeat_interval, absl::Milliseconds(1500));
  EXPECT_EQ(spec->on_expired, OnExpired::kLatest);
  EXPECT_TRUE(spec->include_raw_body);
}

TEST(StreamSpecTest, StartsAreTakenAsTheyAre) {
  v1::SubscribeEventsRequest request;
  request.set_position(v1::START_POSITION_EARLIEST);
  EXPECT_TRUE(std::holds_alternative<Earliest>(CheckRequest(request, kNow)->start));
  request.mutable_start_time()->set_seconds(1'700'000'000);
  request.mutable_start_time()->set_nanos(5);
  EXPECT_EQ(std::get<absl::Time>(CheckRequest(request, kNow)->start),
            absl::FromUnixSeconds(1'700'000'000) + absl::Nanoseconds(5));
}

TEST(StreamSpecTest, EveryBadFieldIsNamedAtOnce) {
  v1::SubscribeEventsRequest request;
  request.set_position(static_cast<v1::StartPosition>(9));
  auto& filter = *request.mutable_filter();
  filter.add_types(v1::EVENT_TYPE_INBOUND_MESSAGE);
  filter.add_types(static_cast<v1::EventType>(99));
  filter.add_session_ids("not a uuid");
  filter.add_peers("");
  filter.add_message_ids(std::string(257, 'x'));
  filter.add_statuses(v1::MESSAGE_STATUS_UNSPECIFIED);
  filter.set_test_events(static_cast<v1::TestEvents>(9));
  EXPECT_THAT(BadFields(request), ElementsAre("position", "filter.types[1]", "filter.session_ids[0]", "filter.peers[0]",
                                              "filter.message_ids[0]", "filter.statuses[0]", "filter.test_events"));
}

TEST(StreamSpecTest, EveryBadSettingOfTheStreamIsNamedAtOnce) {
  v1::SubscribeEventsRequest request;
  request.set_subscription("orders");
  request.set_consumer_id("pod-1");
  request.set_max_outstanding_events(1);
  request.set_max_batch_events(1001);
  request.mutable_heartbeat_interval()->set_seconds(21);
  request.set_on_expired_cursor(static_cast<v1::OnExpiredCursor>(9));
  EXPECT_THAT(BadFields(request), ElementsAre("subscription", "consumer_id", "max_outstanding_events",
                                              "max_batch_events", "heartbeat_interval", "on_expired_cursor"));
}

TEST(StreamSpecTest, DurableSubscriptionsAreSaidToBeMissing) {
  v1::SubscribeEventsRequest request;
  request.set_subscription("orders");
  const absl::Status status = CheckRequest(request, kNow).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), testing::HasSubstr("not served here"));
}

TEST(StreamSpecTest, TheHeartbeatIntervalIsOneToTwentySeconds) {
  const auto bad = [](int64_t seconds, int32_t nanos) {
    v1::SubscribeEventsRequest request;
    request.mutable_heartbeat_interval()->set_seconds(seconds);
    request.mutable_heartbeat_interval()->set_nanos(nanos);
    return !BadFields(request).empty();
  };
  EXPECT_FALSE(bad(1, 0));
  EXPECT_FALSE(bad(20, 0));
  EXPECT_TRUE(bad(0, 999'999'999));
  EXPECT_TRUE(bad(20, 1));
  EXPECT_TRUE(bad(-1, 0));
  EXPECT_TRUE(bad(2, -1));
  EXPECT_TRUE(bad(std::numeric_limits<int64_t>::max(), 0));
  EXPECT_TRUE(bad(std::numeric_limits<int64_t>::min(), std::numeric_limits<int32_t>::min()));
}

TEST(StreamSpecTest, AStartTimeMustBeATimeAndNotInTheFuture) {
  const auto bad = [](int64_t seconds, int32_t nanos) {
    v1::SubscribeEventsRequest request;
    request.mutable_start_time()->set_seconds(seconds);
    request.mutable_start_time()->set_nanos(nanos);
    return !BadFields(request).empty();
  };
  const int64_t now = absl::ToUnixSeconds(kNow);
  EXPECT_FALSE(bad(0, 0));
  EXPECT_FALSE(bad(-1000, 0));
  EXPECT_FALSE(bad(now + 59, 0));  // clocks differ
  EXPECT_TRUE(bad(now + 61, 0));
  EXPECT_TRUE(bad(now, -1));
  EXPECT_TRUE(bad(now, 1'000'000'000));
  EXPECT_TRUE(bad(std::numeric_limits<int64_t>::max(), 0));
  EXPECT_TRUE(bad(std::numeric_limits<int64_t>::min(), 0));
}

TEST(StreamSpecTest, AListOfMoreThanAThousandEntriesIsRefusedOnce) {
  v1::SubscribeEventsRequest request;
  for (int i = 0; i < 1000; ++i) request.mutable_filter()->add_peers("x");
  EXPECT_TRUE(CheckRequest(request, kNow).ok());
  request.mutable_filter()->add_peers("");
  EXPECT_THAT(BadFields(request), ElementsAre("filter.peers"));
}

TEST(StreamSpecTest, AnEmptyOrDamagedCursorIsInvalid) {
  v1::SubscribeEventsRequest request;
  request.set_after_cursor("");
  EXPECT_TRUE(HasReason(CheckRequest(request, kNow).status(), GatewayReason::kCursorInvalid));
  request.set_after_cursor("nonsense");
  EXPECT_TRUE(HasReason(CheckRequest(request, kNow).status(), GatewayReason::kCursorInvalid));
}

TEST(StreamSpecTest, ReadEventsHasThePageSizeOfItsOwn) {
  v1::ReadEventsRequest request;
  EXPECT_EQ(CheckRequest(request, kNow)->page_size, 100u);
  request.set_page_size(1000);
  EXPECT_EQ(CheckRequest(request, kNow)->page_size, 1000u);
  request.set_page_size(1001);
  request.mutable_filter()->add_session_ids("x");
  EXPECT_THAT(BadFieldsOf(CheckRequest(request, kNow).status()), ElementsAre("filter.session_ids[0]", "page_size"));
}

}  // namespace
}  // namespace aulm::gateway
